//! How a gateway process begins and ends: the runtime, draining, and the signals that ask for the end.

mod draining;
mod runtime;
mod shutdown;
mod signals;

pub use draining::Draining;
pub use runtime::RuntimePlan;
pub use shutdown::{DrainPlan, ShutdownCoordinator, SocketHandOver, StopTrigger};
pub use signals::survive_file_limits;

#[cfg(test)]
mod tests;
