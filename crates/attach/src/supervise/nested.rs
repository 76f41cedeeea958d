//! How a process learns that one of these supervisors has it already. The kernel says no more than that somebody has (EBUSY).

use crate::sys::seccomp::{Answer, Notification};
use crate::sys::socket;

/// shutdown(2) of no socket, in a way that there is not: to the kernel it is an error (EBADF), to a supervisor a question. A guardian that has
/// taken over lets it through like any other call, and has no Fast Open to offer.
const HOW: i32 = i32::from_be_bytes(*b"TFO?");
const NO_SOCKET: i32 = -1;
const YES: i32 = libc::EALREADY;

/// Asks.
pub(super) fn is_supervised() -> bool {
    socket::shutdown(NO_SOCKET, HOW).is_err_and(|error| error.raw_os_error() == Some(YES))
}

/// The answer to this shutdown(), if it asks.
pub(super) fn answer(call: &Notification) -> Option<Answer> {
    // The kernel takes the lower halves.
    let asked = [call.arguments[0], call.arguments[1]].map(|argument| argument as u32);
    (asked == [NO_SOCKET, HOW].map(i32::cast_unsigned)).then_some(Answer::Error(YES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_question_is_answered() {
        let call = |[socket, how]: [u64; 2]| {
            let mut call = Notification::default();
            call.arguments[..2].copy_from_slice(&[socket, how]);
            call
        };
        let how = u64::from(HOW.cast_unsigned());
        for socket in [u64::MAX, u64::from(u32::MAX)] {
            assert_eq!(answer(&call([socket, how])), Some(Answer::Error(YES)));
        }
        for other in [[3, how], [u64::MAX, 2], [3, 1]] {
            assert_eq!(answer(&call(other)), None, "{other:?}");
        }
        assert!(!is_supervised());
    }
}
