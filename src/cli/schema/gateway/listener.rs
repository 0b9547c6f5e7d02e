//! Listeners of `gateway.yaml`: addresses, TLS, client certificates, and the admin listener.

use super::values::{ADDRESS, file_name, label, secret};
use crate::cli::schema::builder::{SchemaBuilder, boolean, list, object, pattern, texts};

pub(super) fn listener() -> SchemaBuilder {
    let certificate = object([
        ("chain", file_name().description("The certificate and those above it, as PEM; the server's own comes first")),
        ("key", file_name().description("The private key, as PEM")),
    ])
    .required(["chain", "key"]);
    let tls = object([
        (
            "certificates",
            list(certificate).non_empty().description(
                "Certificates with their keys, by the client's server name; the first serves all other names",
            ),
        ),
        ("http2", boolean().description("Whether HTTP/2 is offered beside HTTP/1.1").default_value(true)),
        (
            "client-certificates",
            object([
                (
                    "from",
                    texts().non_empty().unique().description("The sources whose certificates are accepted, by name"),
                ),
                (
                    "required",
                    boolean().description("Whether a client without a certificate is rejected").default_value(false),
                ),
            ])
            .required(["from"])
            .description("Requests certificates from clients; without this key none is requested"),
        ),
    ])
    .required(["certificates"]);
    object([
        (
            "address",
            pattern(&format!("^{ADDRESS}$"))
                .pattern_error("An address is an IP address and a port such as `127.0.0.1:8080` or `[::1]:8080`")
                .description("IP address and port; `0.0.0.0` or `[::]` is every interface")
                .example("127.0.0.1:8080"),
        ),
        (
            "name",
            label()
                .description("The name by which an API may select the listener; its address where the key is absent"),
        ),
        ("h2c", boolean().description("Whether connections without TLS may begin with HTTP/2").default_value(false)),
        ("tls", tls.description("Serves TLS with these certificates")),
    ])
    .required(["address"])
}

pub(super) fn admin() -> SchemaBuilder {
    object([
        (
            "address",
            pattern(&format!("^(unix:/.+|{ADDRESS})$"))
                .pattern_error("An address is an IP address and a port, or `unix:` and a whole path")
                .description("IP address and port, or `unix:` and a path; beyond this machine it needs `token`")
                .default_value("127.0.0.1:9901"),
        ),
        ("token", secret().description("The bearer token that every request must carry, at least 16 characters")),
    ])
    .description("The admin listener: /live, /ready, /metrics, /policy")
}
