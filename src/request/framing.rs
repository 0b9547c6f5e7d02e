//! Framing: checks of the header block as received, before any field is used (RFC 9112, sections 2, 3, 5 and 6).

use super::rejected::RejectedRequest;

/// Names that a client may list in `Connection` without removing a header on which the upstream relies.
const ALLOWED_NOMINATIONS: [&[u8]; 5] = [b"close", b"keep-alive", b"upgrade", b"te", b"http2-settings"];

/// Checks an HTTP/1 header block: request line and field lines, as received.
///
/// # Errors
/// The end of the body, the host or the set of fields is ambiguous.
pub fn check_header_block(block: &[u8]) -> Result<(), RejectedRequest> {
    let mut lines = block.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").ok_or(line));
    // Empty lines before the request line are allowed (section 2.2).
    let request_line = loop {
        match lines.next() {
            Some(Ok(b"")) => {}
            Some(Ok(line)) => break line,
            Some(Err(_)) | None => return Err(RejectedRequest::Framing),
        }
    };
    let is_http_1_0 = request_line.ends_with(b"HTTP/1.0");
    let (mut lengths, mut codings, mut hosts) = (0_u32, 0_u32, 0_u32);
    for line in lines {
        let line = match line {
            Ok(b"") => break,
            // The empty remainder after the last line break is not a line.
            Err(b"") => break,
            Ok(line) if !line.contains(&b'\r') => line,
            _ => return Err(RejectedRequest::Framing),
        };
        let colon = line.iter().position(|&byte| byte == b':').ok_or(RejectedRequest::Framing)?;
        let (name, value) = line.split_at_checked(colon).ok_or(RejectedRequest::Framing)?;
        // This also refuses a space before the colon or at the beginning (a folded line).
        if name.is_empty() || !name.iter().all(|&byte| super::headers::is_token_byte(byte)) {
            return Err(RejectedRequest::Framing);
        }
        let value = value.strip_prefix(b":").unwrap_or(value);
        // Servers disagree about which control characters are white space (RFC 9110, section 5.5).
        if value.iter().any(|&byte| byte.is_ascii_control() && byte != b'\t') {
            return Err(RejectedRequest::Framing);
        }
        let value = value.trim_ascii();
        if name.eq_ignore_ascii_case(b"content-length") {
            lengths += 1;
            let digits = !value.is_empty() && value.len() < 19 && value.iter().all(u8::is_ascii_digit);
            if !digits {
                return Err(RejectedRequest::Framing);
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            codings += 1;
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Err(RejectedRequest::Framing);
            }
        } else if name.eq_ignore_ascii_case(b"host") {
            hosts += 1;
        } else if name.eq_ignore_ascii_case(b"connection") {
            check_nominations(value)?;
        }
    }
    if lengths + codings > 1 || (is_http_1_0 && codings > 0) {
        return Err(RejectedRequest::Framing);
    }
    if hosts != 1 {
        return Err(RejectedRequest::Host);
    }
    Ok(())
}

/// Whether a host is a name or an address, with or without a port, that all servers parse the same way (RFC 3986,
/// section 3.2.2).
pub fn is_authority(host: &[u8]) -> bool {
    let end = match host {
        [b'[', ..] => host.iter().position(|&byte| byte == b']').map_or(0, |at| at + 1),
        _ => host.iter().position(|&byte| byte == b':').unwrap_or(host.len()),
    };
    let (name, port) = host.split_at_checked(end).unwrap_or_default();
    let is_name_valid = match name {
        [b'[', address @ .., b']'] => {
            address.contains(&b':') && address.iter().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(byte))
        }
        // A trailing dot denotes the same host to some servers, and another one to others.
        _ => name.split(|&byte| byte == b'.').all(|label| {
            !label.is_empty() && label.iter().all(|&byte| byte.is_ascii_alphanumeric() || b"-_~".contains(&byte))
        }),
    };
    let is_port_valid = match port {
        [] => true,
        [b':', digits @ ..] => matches!(digits.len(), 1..=5) && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    is_name_valid && is_port_valid
}

fn check_nominations(value: &[u8]) -> Result<(), RejectedRequest> {
    let mut names = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|name| !name.is_empty());
    let fine = names.all(|name| ALLOWED_NOMINATIONS.iter().any(|known| name.eq_ignore_ascii_case(known)));
    if fine { Ok(()) } else { Err(RejectedRequest::Nomination) }
}

#[cfg(test)]
mod tests;
