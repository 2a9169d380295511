//! The labels of events about a server.

/// The host of its address, as the operator wrote it.
pub const HOST: &str = "host";
/// The name that the operator gave it.
pub const NAME: &str = "server_name";
/// The words of the operator about it.
pub const DESCRIPTION: &str = "server_description";
