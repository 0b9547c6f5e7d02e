//! What two small policies decide differently.
