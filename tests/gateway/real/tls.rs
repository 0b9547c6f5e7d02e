//! OpenSSL's own client and authority: which handshakes succeed, and that a resumed session does not bypass a
//! revocation.

use std::process::Command;

use serde_json::json;

use super::process::{ProcessOutput, finish};
use crate::support::{Gateway, PATIENCE, TestEnvironment, within};

const POLICY: &str = "
version: 1
name: small
routes: { /things: { GET: read Things } }
resources: [Things]
permissions: { See: { Things: R } }
roles: { user: { permissions: [See] } }
users: { stations/alice: { roles: [user] } }
";

/// The README's instructions to an operator, without the revocation.
const AUTHORITY: &str = r#"
key="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
openssl req -x509 $key -keyout server.key -out server.pem -days 30 -subj /CN=noah.test -addext subjectAltName=DNS:noah.test
openssl req -x509 $key -keyout ca.key -out ca.pem -days 3650 -subj /CN=Stations -addext keyUsage=critical,keyCertSign,cRLSign
openssl req -new $key -keyout alice.key -out alice.csr -subj /CN=alice
echo extendedKeyUsage=clientAuth > client.ext
openssl x509 -req -in alice.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 365 -extfile client.ext -out alice.pem
printf '%s\n' '[ca]' 'default_ca = own' '[own]' 'database = index.txt' 'crlnumber = crlnumber' 'default_md = sha256' \
    'default_crl_days = 7' 'crl_extensions = crl' '[crl]' 'authorityKeyIdentifier = keyid' > ca.cnf
touch index.txt && echo 01 > crlnumber
openssl ca -config ca.cnf -cert ca.pem -keyfile ca.key -gencrl -out ca.crl
chmod 600 *.key
"#;

const REVOKE: &str = "
openssl ca -config ca.cnf -cert ca.pem -keyfile ca.key -revoke alice.pem
openssl ca -config ca.cnf -cert ca.pem -keyfile ca.key -gencrl -out new.crl
mv new.crl ca.crl
";

/// A gateway whose listener `secure` requests the certificates made by OpenSSL.
async fn gateway(env: &TestEnvironment) -> Gateway {
    run(env, AUTHORITY);
    env.write("policy.yaml", POLICY);
    let tls = json!({
        "certificates": [{ "chain": "server.pem", "key": "server.key" }], "client-certificates": { "from": ["stations"] },
    });
    let settings = env.settings("policy.yaml");
    let settings = settings.with("/listeners", json!([{ "address": "127.0.0.1:0", "name": "secure", "tls": tls }]));
    let settings = settings.with("/client-certificates/stations", json!({ "ca": "ca.pem", "crl": ["ca.crl"] }));
    env.serve(&settings).await
}

fn shell(env: &TestEnvironment, script: &str) -> ProcessOutput {
    finish(Command::new("sh").args(["-euc", script]).current_dir(env.folder.path()))
}

fn run(env: &TestEnvironment, script: &str) {
    let finished = shell(env, script);
    assert!(finished.success, "{}", finished.stderr);
}

/// The output of `s_client` for a handshake and one request.
fn client(env: &TestEnvironment, gateway: &Gateway, options: &str) -> String {
    let at = gateway.listener("secure");
    let request = r"GET /things HTTP/1.1\r\nHost: noah.test\r\nConnection: close\r\n\r\n";
    let script = format!(
        "printf '{request}' | openssl s_client -ign_eof -connect {at} -servername noah.test -CAfile server.pem {options}"
    );
    let finished = shell(env, &script);
    format!("{}\n{}", String::from_utf8_lossy(&finished.stdout), finished.stderr)
}

const ALICE: &str = "-cert alice.pem -key alice.key";

#[tokio::test(flavor = "multi_thread")]
async fn openssl_gets_no_old_version_no_weak_cipher_and_the_protocol_that_it_asks_for() {
    let env = TestEnvironment::set().await;
    let gateway = gateway(&env).await;
    for (version, name) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let output = client(&env, &gateway, &format!("{version} {ALICE}"));
        assert!(output.contains(&format!("New, {name}")) && output.contains("Verify return code: 0"), "{output}");
        assert!(!output.contains("HTTP/1.1 401") && output.contains("HTTP/1.1 "), "{output}");
        let output = client(&env, &gateway, version);
        assert!(output.contains("HTTP/1.1 401"), "{output}");
    }
    let weak = "@SECLEVEL=0";
    let refused = [
        (format!("-tls1 -cipher ALL:{weak}"), "SSL alert number"),
        (format!("-tls1_1 -cipher ALL:{weak}"), "SSL alert number"),
        // Without forward secrecy, in CBC mode, without authentication, without encryption.
        (format!("-tls1_2 -cipher AES128-GCM-SHA256:{weak}"), "alert number 40"),
        (format!("-tls1_2 -cipher ECDHE-ECDSA-AES256-SHA384:ECDHE-ECDSA-AES128-SHA:{weak}"), "alert number 40"),
        (format!("-tls1_2 -cipher aNULL:{weak}"), "alert number 40"),
        (format!("-tls1_2 -cipher eNULL:{weak}"), "alert number 40"),
        ("-alpn gopher".to_owned(), "alert number 120"),
    ];
    for (options, alert) in &refused {
        let output = client(&env, &gateway, options);
        assert!(output.contains(alert) && !output.contains("HTTP/1.1"), "{options}: {output}");
    }
    for protocol in ["h2", "http/1.1"] {
        let output = client(&env, &gateway, &format!("-alpn {protocol}"));
        assert!(output.contains(&format!("ALPN protocol: {protocol}")), "{output}");
    }
    // A line with only `R` asks for renegotiation.
    let at = gateway.listener("secure");
    let wait_for_alert =
        "for n in $(seq 200); do grep -q 'no renegotiation\\|unexpected eof' said && break; sleep 0.1; done";
    let client = format!("openssl s_client -connect {at} -tls1_2 -CAfile server.pem > said 2>&1");
    shell(&env, &format!("touch said; (echo R; {wait_for_alert}) | {client}"));
    let output = std::fs::read_to_string(env.path("said")).unwrap();
    // The alert that refuses it, or the end of a connection without a header.
    let refused = ["no renegotiation", "unexpected eof"].iter().any(|word| output.contains(word));
    assert!(output.contains("RENEGOTIATING") && refused, "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn openssl_resumes_a_session_until_its_certificate_is_revoked() {
    let env = TestEnvironment::set().await;
    let gateway = gateway(&env).await;
    for version in ["-tls1_2", "-tls1_3"] {
        let output = client(&env, &gateway, &format!("{version} {ALICE} -sess_out session{version}"));
        assert!(output.contains("New, TLSv1"), "{output}");
        let output =
            client(&env, &gateway, &format!("{version} {ALICE} -sess_in session{version} -sess_out session{version}"));
        assert!(output.contains("Reused, TLSv1") && !output.contains("HTTP/1.1 401"), "{output}");
    }
    run(&env, REVOKE);
    within(PATIENCE, "the new list is live", async || {
        (gateway.metric("portcullis_reloads_total{api=\"\",result=\"published\",what=\"client-ca\"}").await > 0.0)
            .then_some(())
    })
    .await;
    for version in ["-tls1_2", "-tls1_3"] {
        let output = client(&env, &gateway, &format!("{version} {ALICE} -sess_in session{version}"));
        assert!(!output.contains("Reused, TLSv1") && output.contains("alert number 44"), "revoked: {output}");
        assert!(!output.contains("HTTP/1.1"), "{output}");
    }
}
