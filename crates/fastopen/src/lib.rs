//! TCP Fast Open (RFC 7413): connect with the first bytes in the SYN, and know what became of them.
