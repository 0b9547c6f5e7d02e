//! Tour: the output of `demo`: tokens and commands to paste, each with its expected result.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

/// Tour: the addresses, files and tokens that the commands need.
#[derive(Debug, Clone, Copy)]
pub struct Tour<'a> {
    /// The address of the gateway.
    pub gateway: SocketAddr,
    /// The address of its admin listener.
    pub admin: SocketAddr,
    /// The demo's own copy of the policy, which the tour edits.
    pub policy: &'a Path,
    /// The tokens with their shell variables and descriptions.
    pub tokens: &'a [DemoToken<'a>],
}

/// DemoToken: the token of one caller.
#[derive(Debug, Clone, Copy)]
pub struct DemoToken<'a> {
    /// The shell variable.
    pub variable: &'a str,
    /// A description of the caller, in one line.
    pub about: &'a str,
    /// The token.
    pub text: &'a str,
}

/// The tour as text; each line is a whole shell command or a shell comment.
pub fn print_tour(tour: &Tour<'_>) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    write_tour(&mut text, tour).ok();
    text
}

fn write_tour(out: &mut String, tour: &Tour<'_>) -> std::fmt::Result {
    let Tour { gateway, admin, .. } = tour;
    let policy = quote(&tour.policy.to_string_lossy());
    let backup = quote(&format!("{}.bak", tour.policy.to_string_lossy()));
    writeln!(out, "# The gateway listens on http://{gateway}, its admin listener on http://{admin}.")?;
    writeln!(out, "# Its policy is {}: you may edit that file.", tour.policy.to_string_lossy().replace('\n', " "))?;
    writeln!(out, "# Paste what follows into another shell. Ctrl-C here ends everything.")?;
    section(out, "Five callers of tenant t1, for an hour")?;
    for DemoToken { variable, about, text } in tour.tokens {
        writeln!(out, "# {about}")?;
        writeln!(out, "{variable}={}", quote(text))?;
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
        "200: a clinician reads a patient; X-Seen-Subject is the identity that the API received",
        &call("CLINICIAN", &patient),
    )?;
    let delete = format!("-X DELETE {patient}");
    step(out, "403 not-granted: Level 2 may not delete; the API received no request", &call("CLINICIAN", &delete))?;
    step(out, "403 not-granted: without a role there are no permissions", &call("NO_PERMISSIONS", &patient))?;
    step(out, "403 gate:app-connection: this app is not approved", &call("UNCONNECTED", &patient))?;
    let connection = format!("-H 'Content-Type: application/json' -d '{{\"name\":\"new-app\"}}' {api}/AppConnection");
    step(out, "201: but it may request to be connected", &call("UNCONNECTED", &connection))?;
    step(
        out,
        "403 not-a-member: t2 is not the clinician's tenant",
        &call("CLINICIAN", &patient.replace("/t1/", "/t2/")),
    )?;
    step(out, "401: without a token every request is refused, before any 404", &format!("curl -si {patient}"))?;
    step(out, "200: a service app has every permission", &call("SERVICE_APP", &format!("{api}/Settings")))?;

    section(out, "A merge of two patients")?;
    step(out, "403 not-granted: merging is a permission of its own", &call("CLINICIAN", &merge("p2", "p1")))?;
    step(out, "200: the records manager has it", &call("RECORDS_MANAGER", &merge("p2", "p1")))?;
    step(out, "200: the session s3 of p2 now belongs to p1", &call("CLINICIAN", &format!("{patient}/Sessions")))?;

    section(out, "A reload")?;
    // A saved file takes effect within a second, and the whole tour may be pasted at once.
    let edit = format!("sed -i.bak 's/^\\( *Patients: *\\)RM/\\1R /' {policy} && sleep 1");
    step(out, "no output: Merge Patient Records loses its M", &edit)?;
    step(out, "403 not-granted: the next request, with the same token", &call("RECORDS_MANAGER", &merge("p4", "p3")))?;
    step(out, "no output: the original policy is restored", &format!("mv {backup} {policy} && sleep 1"))?;
    step(out, "200: permitted again", &call("RECORDS_MANAGER", &merge("p4", "p3")))?;
    step(out, "the live version of the policy, and since when it is live", &format!("curl -s http://{admin}/policy"))
}

fn section(out: &mut String, title: &str) -> std::fmt::Result {
    writeln!(out, "\n# ── {title} ──")
}

fn step(out: &mut String, expected: &str, command: &str) -> std::fmt::Result {
    writeln!(out, "# {expected}\n{command}")
}

/// Quotes `text` as one word of a POSIX shell.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests;
