//! What other programs call the settings.

/// Words that people bring along, each with the keys that may be meant: the first of them that the table has.
const MISNOMERS: &[(&[&str], &[&str])] = &[
    (&["user", "usr", "login", "user_name", "account"], &["username"]),
    (&["pass", "pw", "pwd", "passwd", "passcode"], &["password", "passphrase"]),
    (&["key_password", "key_passphrase"], &["passphrase"]),
    (&["auth_token", "bearer", "bearer_token", "access_token", "api_key"], &["token"]),
    (
        &["host", "hostname", "uri", "endpoint", "server", "address", "addr", "target"],
        &["url", "broker", "listen"],
    ),
    (&["port", "bind", "bind_address", "listen_on", "listen_address"], &["listen", "url", "broker"]),
    (&["url"], &["broker", "servers"]),
    (&["broker"], &["url"]),
    (&["hosts", "urls", "targets", "nodes"], &["servers"]),
    (&["db", "db_name", "bucket"], &["database"]),
    (&["retention", "rp"], &["retention_policy"]),
    (&["topic", "prefix", "topic_prefix"], &["base_topic"]),
    (&["ssl", "https", "certificates"], &["tls"]),
    (&["ca_file", "ca_cert", "ca_path", "root_ca", "root", "root_cert"], &["ca"]),
    (&["cert_file", "certificate", "client_cert", "crt", "cert_path"], &["cert"]),
    (&["key_file", "client_key", "private_key", "key_path"], &["key"]),
    (&["sni", "tls_server_name", "common_name"], &["server_name"]),
    (&["insecure", "insecure_skip_verify", "skip_verify", "verify_ssl", "reject_unauthorized"], &["verify"]),
    (&["period", "every", "frequency", "poll_interval", "schedule"], &["interval"]),
    (&["tags"], &["labels"]),
    (&["labels"], &["tags"]),
    (&["filter", "filters", "match", "events"], &["only"]),
    (&["whitelist", "allow_list", "allowed", "allow_from", "clients"], &["allow"]),
    (&["blacklist", "block_list", "deny", "ignore", "except"], &["exclude"]),
    (&["charset", "encoding", "code_page"], &["fallback_encoding"]),
    (&["buffer", "buffer_size", "rcvbuf", "recv_buffer"], &["receive_buffer"]),
    (&["batch", "batch_size", "max_batch", "batch_events"], &["max_events"]),
    (&["flush", "flush_interval", "linger"], &["max_age"]),
    (&["size", "max_size", "limit"], &["max_bytes"]),
    (&["backoff", "retries"], &["retry"]),
    (&["parallel", "concurrency", "workers"], &["max_in_flight"]),
    (&["dir", "directory", "folder", "data_dir"], &["path", "state_dir"]),
    (&["buffer_dir", "queue"], &["journal"]),
    (&["active", "enable", "disabled", "on"], &["enabled"]),
    (&["compress", "compression"], &["gzip"]),
    (&["rate", "limit_rate", "throttle"], &["rate_limit"]),
    (&["title", "label"], &["name"]),
];

/// The key of this table that stands for a word of another program.
pub(crate) fn named_here<'k>(written: &str, known: &[&'k str]) -> Option<&'k str> {
    let written = plain(written);
    let (_, meant) = MISNOMERS.iter().find(|(words, _)| words.iter().any(|word| plain(word) == written))?;
    meant.iter().find_map(|key| known.iter().find(|known| *known == key)).copied()
}

/// Whether the word is what another program calls a secret.
pub(crate) fn is_of_secret(written: &str) -> bool {
    named_here(written, &["password", "passphrase", "token"]).is_some()
}

fn plain(word: &str) -> String {
    word.to_lowercase().replace(['-', '_'], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_another_program_finds_the_key_that_this_table_has() {
        for (written, known, expected) in [
            ("user", &["username", "password"][..], Some("username")),
            ("host", &["broker", "tls"], Some("broker")),
            ("hostName", &["url"], Some("url")),
            ("address", &["listen"], Some("listen")),
            ("user", &["url"], None),
            ("colour", &["color"], None),
        ] {
            assert_eq!(named_here(written, known), expected, "{written}");
        }
        assert!(is_of_secret("pass") && is_of_secret("apiKey") && !is_of_secret("user"));
    }

    #[test]
    fn no_word_stands_for_two_things() {
        let mut words: Vec<_> =
            MISNOMERS.iter().flat_map(|(words, _)| words.iter().map(|word| plain(word))).collect();
        let all = words.len();
        words.sort();
        words.dedup();
        assert_eq!(words.len(), all);
    }
}
