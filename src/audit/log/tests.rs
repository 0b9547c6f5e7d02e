//! Tests of the log's output, including Pingora's messages through the `log` crate.

use std::sync::{Arc, Mutex};

use super::*;

/// MemoryOutput: an output in memory, which blocks while its lock is held.
#[derive(Clone, Default)]
pub(super) struct MemoryOutput(pub(super) Arc<Mutex<Vec<u8>>>);

impl io::Write for MemoryOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn own_messages_and_warnings_of_dependencies_come_out_and_request_targets_do_not() {
    let output = MemoryOutput::default();
    let writer = output.clone();
    init_to(LogFormat::Json, LogLevel::Info, move || writer.clone()).unwrap();
    assert!(init(LogFormat::Text, LogLevel::Info).is_err());

    tracing::info!(target: "portcullis::reload", api = "noah", "policy\nloaded");
    tracing::debug!(target: "portcullis::reload", "too fine");
    tracing::info!(target: "hyper", "noise");
    tracing::error!(target: "pingora_proxy", "Fail to proxy: GET /rtm?access_token=secret");
    tracing::error!(target: "pingora_core::protocols::http::v1::server", "buf: Authorization: Bearer secret");
    // Pingora warns, through the `log` crate, that an option beside a configuration is ignored.
    let options = pingora::server::configuration::Opt { conf: Some("ignored.yaml".into()), ..Default::default() };
    let server = pingora::server::Server::new_with_opt_and_conf(Some(options), Default::default());
    drop(server);

    let text = String::from_utf8(output.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let own: Vec<_> = lines.iter().filter(|line| line["target"] == "portcullis::reload").collect();
    assert_eq!(own.len(), 1, "{text}");
    assert_eq!((own[0]["message"].as_str(), own[0]["api"].as_str()), (Some("policy\nloaded"), Some("noah")));
    assert!(text.contains("ignored.yaml"), "{text}");
    assert!(!text.contains("secret") && !text.contains("noise") && !text.contains("too fine"), "{text}");
}

#[test]
fn no_level_lets_request_targets_through() {
    for level in [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace] {
        let targets = targets(level);
        for target in ["pingora_proxy", "pingora_proxy::proxy_h1", "pingora_core::apps::http_app"] {
            assert!(!targets.would_enable(target, &tracing::Level::ERROR), "{target}");
        }
        assert!(targets.would_enable("pingora_core::server", &tracing::Level::ERROR));
        assert!(!targets.would_enable("rustls::conn", &tracing::Level::INFO));
    }
    assert!(!targets(LogLevel::Error).would_enable("rustls", &tracing::Level::WARN));
}
