//! The commands that a page shows: ```` ```console run ```` blocks are run, so what they promise stays true.

use crate::tree::File;

/// A command of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Example {
    /// Where it stands.
    pub(crate) line: usize,
    /// What is typed after `$`.
    pub(crate) command: String,
}

/// The commands in blocks that are marked as runnable. Other lines of such a block show output.
pub(crate) fn examples(page: &File) -> Vec<Example> {
    let mut runnable = false;
    let mut examples = Vec::new();
    for (line, text) in page.lines() {
        if let Some(language) = text.strip_prefix("```") {
            runnable = language.trim() == "console run";
        } else if let Some(command) = text.strip_prefix("$ ").filter(|_| runnable) {
            examples.push(Example { line, command: command.to_owned() });
        }
    }
    examples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_commands_of_runnable_blocks_are_run() {
        let text = "$ no\n```console run\n$ sos version\nsos 0.1.0\n```\n$ no\n```console\n$ sos run\n```\n";
        let page = File { path: "README.md".into(), text: text.into() };
        assert_eq!(examples(&page), [Example { line: 3, command: "sos version".into() }]);
    }
}
