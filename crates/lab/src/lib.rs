//! Networks in namespaces of their own, with a middlebox that delays, strips, drops and forges.
