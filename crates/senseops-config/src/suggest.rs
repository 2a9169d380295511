//! "Did you mean": the known word that is nearest to what was written.

/// The candidate that was probably meant, if one is near enough.
pub(crate) fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['-', '_'], "");
    let meant = plain(written);
    // A third of the letters may be wrong: more than a slip of the finger, less than another word.
    let allowed = (meant.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&meant, &plain(candidate)), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Words as a person lists them: `a`, `b` and `c`.
pub(crate) fn listed<'a>(words: impl IntoIterator<Item = &'a str>, last: &str) -> String {
    joined(words.into_iter().map(|word| format!("`{word}`")), last)
}

/// The same without the quotes.
pub(crate) fn joined(words: impl IntoIterator<Item = String>, last: &str) -> String {
    let words: Vec<String> = words.into_iter().collect();
    match words.split_last() {
        Some((end, [])) => end.clone(),
        Some((end, rest)) => format!("{} {last} {end}", rest.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word_and_another_word_does_not() {
        for (written, expected) in [
            ("databse", Some("database")),
            ("Data-Base", Some("database")),
            ("serverName", Some("server_name")),
            ("ulr", Some("url")),
            ("measurement", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, ["database", "server_name", "url"]), expected, "{written}");
        }
    }

    #[test]
    fn words_are_listed_as_people_do() {
        assert_eq!(listed(["a"], "and"), "`a`");
        assert_eq!(listed(["a", "b", "c"], "or"), "`a`, `b` or `c`");
    }
}
