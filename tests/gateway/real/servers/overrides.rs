//! Random requests, made from a seed, that ask for another method than the one they are sent with.

use super::spellings::SpellingGenerator;

/// Headers that frameworks read as the method, and similar ones.
const HEADERS: [&str; 6] = [
    "X-HTTP-Method-Override",
    "X-HTTP-Method",
    "X-Method-Override",
    "X-HTTP-Method-Overrides",
    "HTTP-X-HTTP-Method-Override",
    "X-Method",
];
const METHODS: [&str; 9] =
    ["DELETE", "delete", "Delete", " DELETE ", "\tDELETE", "DELETE, GET", "GET, DELETE", "DELETE;q=1", "%44ELETE"];
/// Parameters that frameworks read as the method, and similar ones.
const PARAMETERS: [&str; 30] = [
    "_method",
    "_method",
    "_method",
    "_METHOD",
    "%5fmethod",
    "%5Fmethod",
    "_%6dethod",
    "%5f%6d%65%74%68%6f%64",
    "_method[]",
    "_method[0]",
    "_method%5b%5d",
    "[_method",
    "%5b_method",
    "[_method]",
    "%5B_method%5D",
    "_method]",
    ".method",
    "%20_method",
    "+_method",
    " _method",
    "%20method",
    "+method",
    "_method%00",
    "%00_method",
    "_method%20",
    "a[_method]",
    "[]_method",
    "%255fmethod",
    "_method%5b",
    "_metho\u{ff44}",
];
const BETWEEN: [&str; 5] = ["&", "&", "&&", ";", "&%26"];
const FORMS: [&str; 14] = [
    "application/x-www-form-urlencoded",
    "application/x-www-form-urlencoded",
    "Application/X-WWW-Form-URLEncoded; charset=utf-8",
    "application/x-www-form-urlencoded;charset=iso-8859-1",
    "application/x-www-form-urlencoded; charset=\"UTF-8\"",
    "application/x-www-form-urlencoded; charset=utf-16be",
    "application/x-www-form-urlencoded; charset=IBM037",
    "application/x-www-form-urlencoded ; x=y",
    "application/x-www-form-urlencoded, text/plain",
    "text/plain, application/x-www-form-urlencoded",
    "text/plain",
    "application/x-www-form-urlencodedx",
    "\tapplication/x-www-form-urlencoded\t",
    "application/x-www-form-urlencoded;",
];
/// The name of a multipart form's part; `@` stands for the parameter's name.
const PARTS: [&str; 21] = [
    "Content-Disposition: form-data; name=\"@\"",
    "Content-Disposition: form-data; name=\"@\"",
    "content-disposition: form-data; name=@",
    "Content-Disposition:form-data;name='@'",
    "Content-Disposition: form-data; NAME=\"@\"",
    "Content-Disposition: form-data; name = \"@\"",
    "Content-Disposition: form-data;\r\n name=\"@\"",
    "Content-Disposition: form-data; name=\"x\"; name=\"@\"",
    "Content-Disposition: form-data; name=\"@\"; name=\"x\"",
    "Content-Disposition: form-data; name*=utf-8''@",
    "Content-Disposition: form-data; x=\"\\\"; name=\"@\"",
    "Content-Disposition: form-data; name=\"\\@\"",
    "Content-Disposition: form-data; filename=\"\"; name=\"@\"",
    "Content-Type: text/plain\r\nContent-Disposition: form-data; name=\"@\"",
    "Content-Disposition: form-data; name=\"x\"\r\nContent-Disposition: form-data; name=\"@\"",
    "Content-Disposition: attachment; name=\"@\"",
    "Content-Disposition: form-data; name=\"@",
    "Content-Disposition : form-data; name=\"@\"",
    "Content-Disposition: form-data; name*=utf-8'en'@",
    "Content-Disposition: form-data; name*0=\"_me\"; name*1=\"thod\"",
    "Content-Disposition: form-data; name*=utf-16le''_%00m%00e%00t%00h%00o%00d%00",
];
const BOUNDARIES: [&str; 6] = [
    "multipart/form-data; boundary=b",
    "multipart/form-data; boundary=\"b\"",
    "Multipart/Form-Data;BOUNDARY=b",
    "multipart/form-data; charset=utf-8; boundary=b",
    "multipart/form-data; boundary=x; boundary=b",
    "multipart/form-data, multipart/form-data; boundary=b",
];

/// OverrideRequest: a request without its credential.
pub(in crate::real) struct OverrideRequest {
    method: &'static str,
    target: String,
    fields: Vec<String>,
    body: Vec<u8>,
    chunks: Vec<usize>,
}

impl OverrideRequest {
    /// A request by `method` that asks for DELETE in one way or more.
    pub(in crate::real) fn next(method: &'static str, target: &str, chance: &mut SpellingGenerator) -> Self {
        let mut request =
            Self { method, target: target.to_owned(), fields: Vec::new(), body: Vec::new(), chunks: Vec::new() };
        match chance.below(10) {
            0..=1 => request.ask_by_header(chance),
            2..=3 => request.ask_by_query(chance),
            4..=6 => request.ask_by_form(chance),
            7..=8 => request.ask_by_parts(chance),
            _ => {
                request.ask_by_header(chance);
                request.ask_by_query(chance);
                request.ask_by_form(chance);
            }
        }
        if !request.body.is_empty() && chance.below(3) == 0 {
            request.chunks = (0..1 + chance.below(6)).map(|_| 1 + chance.below(request.body.len())).collect();
        }
        request
    }

    /// A POST that asks for DELETE as the frameworks' own documentation shows.
    pub(super) fn plain() -> Self {
        let fields = vec!["X-HTTP-Method-Override: DELETE".to_owned()];
        Self { method: "POST", target: "/open/o2".to_owned(), fields, body: Vec::new(), chunks: Vec::new() }
    }

    /// Its bytes, with a credential if there is one.
    pub(in crate::real) fn bytes(&self, credential: &str) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n", self.method, self.target);
        if !credential.is_empty() {
            head.push_str(&format!("Authorization: {credential}\r\n"));
        }
        self.fields.iter().for_each(|field| head.push_str(&format!("{field}\r\n")));
        if self.chunks.is_empty() {
            head.push_str(&format!("Content-Length: {}\r\n\r\n", self.body.len()));
            return [head.as_bytes(), &self.body].concat();
        }
        head.push_str("Transfer-Encoding: chunked\r\n\r\n");
        let mut bytes = head.into_bytes();
        let mut cuts: Vec<usize> = self.chunks.iter().copied().chain([0, self.body.len()]).collect();
        cuts.sort_unstable();
        cuts.dedup();
        for piece in cuts.windows(2).map(|two| &self.body[two[0]..two[1]]) {
            bytes.extend(format!("{:x}\r\n", piece.len()).into_bytes());
            bytes.extend(piece);
            bytes.extend(b"\r\n");
        }
        bytes.extend(b"0\r\n\r\n");
        bytes
    }

    fn ask_by_header(&mut self, chance: &mut SpellingGenerator) {
        for _ in 0..1 + chance.below(2) {
            let mut name = chance.one(&HEADERS).to_owned();
            match chance.below(5) {
                0 => name = name.to_ascii_lowercase(),
                1 => name = name.replace('-', chance.one(&["_", ".", " ", "--", "-_"])),
                2 => name = name.replacen('-', chance.one(&["_", ".", "~", "+"]), 1 + chance.below(3)),
                3 => name.push_str(chance.one(&[" ", "\t", "_", ""])),
                _ => {}
            }
            self.fields.push(format!("{name}: {}", chance.one(&METHODS)));
        }
        if chance.below(4) == 0 {
            self.fields.insert(0, format!("{}: {}", HEADERS[chance.below(3)], chance.one(&["GET", "", "POST"])));
        }
    }

    fn ask_by_query(&mut self, chance: &mut SpellingGenerator) {
        let query = parameters(chance).replace(' ', "%20");
        self.target.push_str(&format!("{}{query}", chance.one(&["?", "?", "?", "??", "?&", "?x?"])));
    }

    fn ask_by_form(&mut self, chance: &mut SpellingGenerator) {
        let kind = chance.one(&FORMS);
        self.fields.push(format!("Content-Type: {kind}"));
        self.body = match kind.split_once("charset=").map(|(_, charset)| charset) {
            Some("utf-16be") => parameters(chance).encode_utf16().flat_map(u16::to_be_bytes).collect(),
            // The letters of `_method` and `DELETE` in this code page; `=` is that of ASCII.
            Some("IBM037") => b"\x6d\x94\x85\xa3\x88\x96\x84=\xc4\xc5\xd3\xc5\xe3\xc5".to_vec(),
            _ => parameters(chance).into_bytes(),
        };
        match chance.below(12) {
            0 => self.fields.push(format!("Content-Type: {}", chance.one(&FORMS))),
            1 => self.fields.push("Content-Encoding: identity".to_owned()),
            2..=3 => {
                self.fields.push("Content-Encoding: deflate".to_owned());
                self.body = deflated(&self.body);
            }
            _ => {}
        }
    }

    fn ask_by_parts(&mut self, chance: &mut SpellingGenerator) {
        self.fields.push(format!("Content-Type: {}", chance.one(&BOUNDARIES)));
        let mut body = chance.one(&["", "", "a preamble\r\n", "\r\n"]).to_owned();
        if chance.below(2) == 0 {
            let filler = "y".repeat(chance.below(3000));
            body.push_str(&format!("--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n{filler}\r\n"));
        }
        let name = chance.one(&PARAMETERS);
        let part = chance.one(&PARTS).replace('@', name);
        body.push_str(&format!("--b\r\n{part}\r\n\r\n{}\r\n--b--\r\n", chance.one(&METHODS)));
        if chance.below(6) == 0 {
            body = body.replace("\r\n", "\n");
        }
        self.body = body.into_bytes();
    }
}

fn parameters(chance: &mut SpellingGenerator) -> String {
    let mut text = format!("{}={}", chance.one(&PARAMETERS), chance.one(&METHODS).trim());
    if chance.below(3) == 0 {
        let other = chance.one(&["a=1", "_method=GET", "a", "=", "_method", "%"]);
        let between = chance.one(&BETWEEN);
        text = if chance.below(2) == 0 { format!("{text}{between}{other}") } else { format!("{other}{between}{text}") };
    }
    text
}

/// The bytes in one uncompressed block (RFC 1950, section 2.2; RFC 1951, section 3.2.4).
fn deflated(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap();
    let (first, second) = bytes.iter().fold((1_u32, 0_u32), |(first, second), byte| {
        let first = (first + u32::from(*byte)) % 65521;
        (first, (second + first) % 65521)
    });
    let mut out = vec![0x78, 0x01, 0x01];
    out.extend(length.to_le_bytes());
    out.extend((!length).to_le_bytes());
    out.extend(bytes);
    out.extend((second << 16 | first).to_be_bytes());
    out
}
