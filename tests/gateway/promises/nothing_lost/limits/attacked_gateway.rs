//! A gateway under attack, with probes that show whether other clients are still served.

use std::net::{SocketAddr, TcpStream};

use tokio::net::TcpSocket;

use crate::wire::client::{Client, ask};
use crate::wire::testbed::{Testbed, TestbedBuilder, until};

pub(super) const GET: &[u8] = b"GET /open HTTP/1.1\r\nHost: noah.test\r\n\r\n";

/// AttackedGateway: a testbed whose other clients must be served during an attack.
pub(super) struct AttackedGateway {
    pub(super) testbed: Testbed,
}

impl AttackedGateway {
    pub(super) fn of(builder: TestbedBuilder) -> Self {
        Self { testbed: builder.start() }
    }

    /// Opens `count` connections that have not sent anything yet.
    pub(super) fn connections(&self, count: usize) -> Vec<Client> {
        (0..count).map(|_| Client::connect(self.testbed.at())).collect()
    }

    /// Asserts that a well-behaved client is answered repeatedly.
    pub(super) fn serves_others(&self) {
        for _ in 0..20 {
            assert_eq!(ask(self.testbed.at(), GET).status, 200);
        }
    }

    /// The resident memory of the gateway now, in MiB.
    pub(super) fn memory_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.testbed.gateway.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() / 1024
    }

    /// How often the limit with this key was hit.
    pub(super) fn limit_count(&self, key: &str) -> u64 {
        let name = format!("portcullis_limits_reached_total{{limit=\"{key}\"}}");
        let value = self.metric_lines().iter().find_map(|line| line.strip_prefix(&name)?.trim().parse().ok());
        value.unwrap_or_else(|| panic!("no metric of `{key}`"))
    }

    /// The number of log events about the limit with this key.
    pub(super) fn log_count(&self, key: &str) -> usize {
        let events = self.testbed.gateway.log_lines("a client has reached a limit");
        events.iter().filter(|event| event["limit"] == key).count()
    }

    /// The number of open connections.
    pub(super) fn open_connections(&self) -> u64 {
        let lines = self.metric_lines();
        lines.iter().find_map(|line| line.strip_prefix("portcullis_connections ")?.parse().ok()).unwrap()
    }

    /// The lines of all metrics.
    pub(super) fn metric_lines(&self) -> Vec<String> {
        let text = self.testbed.wait(self.testbed.gateway.admin("/metrics")).text();
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    }

    /// The names of all time series, with labels, without values.
    pub(super) fn series(&self) -> Vec<String> {
        self.metric_lines().iter().filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned())).collect()
    }

    /// Waits until no connection is open.
    pub(super) fn wait_until_closed(&self) {
        until("no connection is left", || self.open_connections() == 0);
    }
}

/// A connection from another address of this machine.
pub(super) fn connect_from(address: &str, to: SocketAddr) -> TcpStream {
    connect_with(to, |socket| socket.bind(format!("{address}:0").parse().unwrap()).unwrap())
}

/// A connection with a small receive buffer, so that the sender soon has to wait.
pub(super) fn connect_narrow(to: SocketAddr) -> TcpStream {
    connect_with(to, |socket| socket.set_recv_buffer_size(4096).unwrap())
}

fn connect_with(to: SocketAddr, change: impl FnOnce(&TcpSocket)) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stream = runtime.block_on(async {
        let socket = TcpSocket::new_v4().unwrap();
        change(&socket);
        socket.connect(to).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    stream
}
