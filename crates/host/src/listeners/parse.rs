//! One line of `/proc/net/tcp` or `/proc/net/tcp6`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::Listener;

/// `TCP_LISTEN`, as the table writes it.
const LISTEN: &str = "0A";

/// Takes a line; `None` if it is not a listener's.
pub(super) fn listener(line: &str) -> Result<Option<Listener>, &'static str> {
    let mut columns = line.split_ascii_whitespace();
    let local = columns.nth(1);
    if columns.nth(1) != Some(LISTEN) {
        return Ok(None);
    }
    let mut column = |skipped: usize| columns.nth(skipped).ok_or("a listener's line is cut short");
    let queues = column(0)?;
    let uid = column(2)?;
    let inode = column(1)?;
    // What a listener has there is its Fast Open queue; a connection, and a listener of a kernel before Fast Open, has ssthresh,
    // which is -1 in the beginning.
    let fast_open_queue = columns
        .nth(6)
        .and_then(|length| length.parse::<i64>().ok())
        .map(|length| u32::try_from(length).unwrap_or(0));
    Ok(Some(Listener {
        address: local
            .and_then(socket_address)
            .ok_or("a listener's address can't be read")?,
        fast_open_queue,
        to_accept: queues
            .split_once(':')
            .and_then(|(_, receive)| hexadecimal(receive))
            .ok_or("a listener's queue can't be read")?,
        uid: uid.parse().map_err(|_| "a listener's uid can't be read")?,
        inode: inode.parse().map_err(|_| "a listener's inode can't be read")?,
    }))
}

/// An address is written as 32-bit words of which each is in the machine's byte order, the port as a number.
fn socket_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let word = |index: usize| Some(hexadecimal(address.get(8 * index..8 * index + 8)?)?.to_ne_bytes());
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            let mut octets = [0; 16];
            octets.copy_from_slice(words.as_flattened());
            IpAddr::V6(Ipv6Addr::from(octets))
        }
        _ => return None,
    };
    Some(SocketAddr::new(address, u16::try_from(hexadecimal(port)?).ok()?))
}

fn hexadecimal(digits: &str) -> Option<u32> {
    // `from_str_radix` would take a sign.
    digits
        .bytes()
        .all(|digit| digit.is_ascii_hexdigit())
        .then(|| u32::from_str_radix(digits, 16).ok())?
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_word_by_word() {
        for (text, address) in [
            ("0100007F:1F90", "127.0.0.1:8080"),
            ("00000000000000000000000001000000:FFFF", "[::1]:65535"),
            ("0000000000000000FFFF00000100007F:0050", "[::ffff:127.0.0.1]:80"),
            ("B80D01200000000000000000EF000000:0001", "[2001:db8::ef]:1"),
        ] {
            assert_eq!(socket_address(text), Some(address.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn broken_addresses_are_refused() {
        for text in [
            "",
            ":",
            "0100007F",
            "0100007F:",
            "0100007F:10000",
            "0100007:1F90",
            "+100007F:1F90",
            "0100007F:+F90",
            "é00007F:1F90",
            "000000000000000000000000010000:0050",
        ] {
            assert_eq!(socket_address(text), None, "{text}");
        }
    }

    const ROW: &str = "0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 27644 1 ptr 100 0 0 10 5";

    #[test]
    fn a_line_without_its_last_columns_tells_no_queue() {
        let short = ROW.strip_suffix(" 100 0 0 10 5").unwrap();
        assert_eq!(listener(short).unwrap().unwrap().fast_open_queue, None);
        let before_fast_open = ROW.strip_suffix('5').unwrap().to_owned() + "-1";
        assert_eq!(
            listener(&before_fast_open).unwrap().unwrap().fast_open_queue,
            Some(0)
        );
    }

    #[test]
    fn broken_columns_are_refused() {
        for (column, broken) in [
            ("27644", "x"),
            ("27644", "99999999999999999999999"),
            ("0100007F:1F90", "0100007F"),
            ("00000000:00000000", "00000000"),
            ("00000000:00000000", "00000000:1ffffffff"),
            (" 0 0 27644", " -1 0 27644"),
        ] {
            let row = ROW.replacen(column, broken, 1);
            assert!(listener(&row).is_err(), "{row}");
        }
        let cut = ROW.split(" 27644").next().unwrap();
        assert!(listener(cut).is_err());
    }

    #[test]
    fn other_lines_are_passed_over() {
        for line in [
            "",
            "  sl  local_address rem_address   st tx_queue",
            "0: a b 01",
            "0A 0A 0A",
        ] {
            assert_eq!(listener(line), Ok(None), "{line:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_columns_are_taken_or_refused(columns in proptest::collection::vec("[0-9A-Fa-f:+-]{0,33}", 0..20)) {
            let mut columns = columns;
            if let Some(state) = columns.get_mut(3) {
                *state = LISTEN.to_owned();
            }
            let _ = listener(&columns.join(" "));
        }
    }
}
