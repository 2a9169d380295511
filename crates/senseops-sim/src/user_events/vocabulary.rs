//! Who does what with which browser, and what goes wrong on the way.

/// A user of the simulated estate.
#[derive(Clone, Copy, Debug)]
pub(super) struct User {
    pub(super) directory: &'static str,
    pub(super) id: &'static str,
}

pub(super) const HOSTS: [&str; 2] = ["sense1", "sense2"];

/// Names of one letter and of many, with blanks, dots and letters beyond ASCII, and the accounts of Sense itself.
pub(super) const USERS: [User; 16] = [
    User { directory: "LAB", id: "anna" },
    User { directory: "LAB", id: "bo berg" },
    User { directory: "LAB", id: "carlos.ruiz" },
    User { directory: "LAB", id: "dörte" },
    User { directory: "LAB", id: "e" },
    User { directory: "LAB", id: "filipa_sousa" },
    User { directory: "LAB", id: "goran" },
    User { directory: "LAB", id: "Ødegård" },
    User { directory: "PARTNERS", id: "i.jones@partner.example" },
    User { directory: "PARTNERS", id: "jana" },
    User { directory: "PARTNERS", id: "林" },
    User { directory: "PARTNERS", id: "laura-external-consultant" },
    User { directory: "RETAIL", id: "till 7" },
    User { directory: "RETAIL", id: "till 8" },
    User { directory: "INTERNAL", id: "sa_api" },
    User { directory: "INTERNAL", id: "sa_repository" },
];

pub(super) const AGENTS: [&str; 8] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0",
    "Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36",
];

/// Nothing, no fields, another program's event, too few fields, a command that does not exist, text in Windows-1252,
/// control characters, and bytes that are no text at all.
pub(super) const MALFORMED: [&[u8]; 8] = [
    b"",
    b"hello",
    b"/scheduler-reload-failed/;sense1;Nightly sales;Sales, EMEA;LAB\\sa_scheduler",
    b"/qseow-proxy-session/;sense1;Start session",
    b"/qseow-proxy-session/;sense1;Dance;LAB;anna;AppAccess;/hub/;Dance session for user: 'LAB\\anna'",
    b"/proxy-session/;sense1;Start session;LAB;d\xf6rte;Not available;;Start session for user: 'LAB\\d\xf6rte'",
    b"/qseow-proxy-session/;sense1\x1b[2J;Start session;LAB;an\0na;Not available;;Start\r\nsession",
    b"\xff\xfe\x00\x9d;\x80\x81;\xc3\x28",
];
