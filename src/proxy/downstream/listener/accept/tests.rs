//! Which failed accepts pause the loop.

use super::*;

#[test]
fn lack_of_descriptors_pauses_and_a_lost_client_does_not() {
    // ENFILE, EMFILE, ENOMEM, ENOBUFS; then ECONNABORTED, EINTR.
    for want in [libc::ENFILE, libc::EMFILE, libc::ENOMEM, libc::ENOBUFS] {
        assert!(!is_of_one_connection(&io::Error::from_raw_os_error(want)));
    }
    for lost in [libc::ECONNABORTED, libc::EINTR] {
        assert!(is_of_one_connection(&io::Error::from_raw_os_error(lost)));
    }
}
