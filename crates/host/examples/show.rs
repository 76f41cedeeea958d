//! Prints everything that this crate can tell of the machine it runs on: `cargo run -p fastopen-host --example show`.

use fastopen_host::counters::Counters;
use fastopen_host::owners::Owners;
use fastopen_host::sockets::{self, Filter};
use fastopen_host::{Error, Feature, KernelVersion, cookies, listeners, sysctl};

fn main() -> Result<(), Error> {
    let kernel = KernelVersion::running()?;
    println!("Linux {kernel}");
    for feature in Feature::ALL {
        let mark = if feature.is_expected_in(kernel) { '+' } else { '-' };
        println!("  {mark} {} (since {})", feature.summary(), feature.since());
    }

    println!("settings");
    println!("  tcp_fastopen {:?}", sysctl::fast_open()?);
    println!("  key {:?}", sysctl::fast_open_key()?);
    println!("  blackhole timeout {:?}", sysctl::blackhole_timeout()?);
    println!("  somaxconn {:?}", sysctl::somaxconn()?);
    println!("  syncookies {:?}", sysctl::syn_cookies()?);
    println!(
        "  synack retries {:?}, syn retries {:?}",
        sysctl::synack_retries()?,
        sysctl::syn_retries()?
    );
    println!("  mptcp {:?}", sysctl::mptcp_enabled()?);

    println!("counters");
    for (counter, value) in Counters::read()?.iter() {
        println!("  {} {value}: {}", counter.name(), counter.meaning());
    }

    println!("listeners");
    let listeners = listeners::list()?;
    let owners = Owners::find(listeners.iter().map(|listener| listener.inode))?;
    for listener in listeners {
        println!("  {listener:?} of {:?}", owners.of(listener.inode));
    }

    println!("sockets");
    for socket in sockets::list(&Filter::new())? {
        let info_len = socket.tcp_info.as_ref().map(Vec::len);
        println!(
            "  {:?} {} -> {}, tcp_info of {info_len:?} bytes",
            socket.state, socket.local, socket.remote
        );
    }

    println!("cookies");
    for entry in cookies::list()? {
        println!("  {entry:?}");
    }
    Ok(())
}
