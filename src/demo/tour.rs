//! Tour: what `demo` prints: tokens to paste, then commands to paste, each with what to expect.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

/// Tour: where everything stands that the commands need.
#[derive(Debug, Clone, Copy)]
pub struct Tour<'a> {
    /// Where the gateway listens.
    pub gateway: SocketAddr,
    /// Where its admin listener listens.
    pub admin: SocketAddr,
    /// The demo's own copy of the policy, which the tour edits.
    pub policy: &'a Path,
    /// Shell variables, what to say of each, and the tokens that they hold.
    pub tokens: &'a [DemoToken<'a>],
}

/// DemoToken: one ready caller's.
#[derive(Debug, Clone, Copy)]
pub struct DemoToken<'a> {
    /// The shell variable.
    pub variable: &'a str,
    /// Whose it is, in one line.
    pub about: &'a str,
    /// The token.
    pub text: &'a str,
}

/// The tour as text; every line is a command or a comment of a shell, and none is broken.
pub fn text(tour: &Tour<'_>) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    write(&mut text, tour).ok();
    text
}

fn write(out: &mut String, tour: &Tour<'_>) -> std::fmt::Result {
    let Tour { gateway, admin, .. } = tour;
    let policy = quoted(&tour.policy.to_string_lossy());
    let backup = quoted(&format!("{}.bak", tour.policy.to_string_lossy()));
    writeln!(out, "# The gateway listens on http://{gateway}, its admin listener on http://{admin}.")?;
    writeln!(out, "# It obeys {}: edit that file as you like.", tour.policy.to_string_lossy().replace('\n', " "))?;
    writeln!(out, "# Paste what follows into another shell. Ctrl-C here ends everything.")?;
    section(out, "Five callers of tenant t1, for an hour")?;
    for DemoToken { variable, about, text } in tour.tokens {
        writeln!(out, "# {about}")?;
        writeln!(out, "{variable}={}", quoted(text))?;
    }
    let api = format!("http://{gateway}/t1/api");
    let call = |who: &str, rest: &str| format!("curl -si -H \"Authorization: Bearer ${who}\" {rest}");
    let merge = |from: &str, into: &str| {
        format!(
            "-H 'Content-Type: application/json' -d '{{\"from\":\"{from}\",\"into\":\"{into}\"}}' {api}/Patients/Merge"
        )
    };

    section(out, "Permitted and refused")?;
    let patient = format!("{api}/Patients/p1");
    step(
        out,
        "200: a clinician reads a patient; X-Seen-Subject is what the API was told",
        &call("CLINICIAN", &patient),
    )?;
    let delete = format!("-X DELETE {patient}");
    step(out, "403 not-granted: Level 2 deletes nothing; the API saw nothing", &call("CLINICIAN", &delete))?;
    step(out, "403 not-granted: no role, no patient", &call("NO_PERMISSIONS", &patient))?;
    step(out, "403 gate:app-connection: nobody has approved this app", &call("UNCONNECTED", &patient))?;
    let connection = format!("-H 'Content-Type: application/json' -d '{{\"name\":\"new-app\"}}' {api}/AppConnection");
    step(out, "201: but it may ask to be connected", &call("UNCONNECTED", &connection))?;
    step(
        out,
        "403 not-a-member: t2 is not the clinician's tenant",
        &call("CLINICIAN", &patient.replace("/t1/", "/t2/")),
    )?;
    step(out, "401: without a token there is nothing, not even a 404", &format!("curl -si {patient}"))?;
    step(out, "200: a service app has every permission", &call("SERVICE_APP", &format!("{api}/Settings")))?;

    section(out, "A merge of two patients")?;
    step(out, "403 not-granted: merging is a permission of its own", &call("CLINICIAN", &merge("p2", "p1")))?;
    step(out, "200: the records manager has it", &call("RECORDS_MANAGER", &merge("p2", "p1")))?;
    step(out, "200: the session s3 of p2 now belongs to p1", &call("CLINICIAN", &format!("{patient}/Sessions")))?;

    section(out, "A reload")?;
    // A saved file takes effect within a second, and the whole tour may be pasted at once.
    let edit = format!("sed -i.bak 's/^\\( *Patients: *\\)RM/\\1R /' {policy} && sleep 1");
    step(out, "nothing to see: Merge Patient Records loses its M", &edit)?;
    step(out, "403 not-granted: the next request, with the same token", &call("RECORDS_MANAGER", &merge("p4", "p3")))?;
    step(out, "nothing to see: the policy is as it was", &format!("mv {backup} {policy} && sleep 1"))?;
    step(out, "200: permitted again", &call("RECORDS_MANAGER", &merge("p4", "p3")))?;
    step(out, "the version of the policy that is live, and since when", &format!("curl -s http://{admin}/policy"))
}

fn section(out: &mut String, title: &str) -> std::fmt::Result {
    writeln!(out, "\n# ── {title} ──")
}

fn step(out: &mut String, expected: &str, command: &str) -> std::fmt::Result {
    writeln!(out, "# {expected}\n{command}")
}

/// `text` as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests;
