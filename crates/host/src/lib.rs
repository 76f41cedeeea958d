//! What this machine's kernel knows of TCP Fast Open, as values.
