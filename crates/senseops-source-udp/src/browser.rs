//! Browser and operating system of a user agent, in the words that Butler SOS uses.
//!
//! Butler SOS reads user agents with the JavaScript library Bowser, so dashboards know Bowser's names: `Microsoft
//! Edge`, `macOS`, and for Windows the version `NT 10.0`. The tables here are those of Woothee, translated.

use std::mem;

use foldhash::HashMap;
use senseops_core::Text;
use woothee::parser::{Parser, WootheeResult};

/// How many user agents are remembered. An estate has a few dozen; the bound is for senders that make them up.
const MAX_REMEMBERED: usize = 1024;

/// What a user agent says. What it does not say is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Browser {
    pub(crate) name: Option<Text>,
    pub(crate) major_version: Option<Text>,
    pub(crate) os_name: Option<Text>,
    pub(crate) os_version: Option<Text>,
}

/// Reads user agents, and remembers the latest: reading one takes dozens of regular expressions, finding it one hash.
#[derive(Default)]
pub(crate) struct Browsers {
    recent: HashMap<Box<str>, Browser>,
    /// What `recent` was before it was full. What is asked for again moves back, the rest is forgotten together.
    older: HashMap<Box<str>, Browser>,
}

impl Browsers {
    /// What this user agent says.
    pub(crate) fn read(&mut self, user_agent: &str) -> Browser {
        if let Some(browser) = self.recent.get(user_agent) {
            return browser.clone();
        }
        let (text, browser) = self
            .older
            .remove_entry(user_agent)
            .unwrap_or_else(|| (user_agent.into(), Browser::of(user_agent)));
        if self.recent.len() >= MAX_REMEMBERED / 2 {
            self.older = mem::take(&mut self.recent);
        }
        self.recent.insert(text, browser.clone());
        browser
    }
}

impl Browser {
    fn of(user_agent: &str) -> Self {
        let Some(read) = Parser::new().parse(user_agent) else { return Self::default() };
        Self {
            name: browser_name(&read, user_agent).map(Into::into),
            major_version: leading_digits(read.version).map(Into::into),
            os_name: os_name(read.os).map(Into::into),
            // What Woothee takes for the version of Chrome OS is the architecture and a build number.
            os_version: known(&read.os_version).filter(|_| read.os != "ChromeOS").map(Into::into),
        }
    }
}

fn browser_name<'a>(read: &WootheeResult<'a>, user_agent: &str) -> Option<&'a str> {
    let name = match read.name {
        "Edge" => "Microsoft Edge",
        "Chrome" if user_agent.contains("HeadlessChrome/") => "Chrome Headless",
        "SamsungBrowser" => "Samsung Internet for Android",
        "Google Search App" => "Google Search",
        "HTTP Library" => return None,
        other => other,
    };
    known(name)
}

fn os_name(woothee: &str) -> Option<&str> {
    let name = match woothee {
        "Windows Phone OS" => "Windows Phone",
        windows if windows.starts_with("Windows") => "Windows",
        "Mac OSX" => "macOS",
        "iPhone" | "iPad" | "iPod" => "iOS",
        "ChromeOS" => "Chrome OS",
        other => other,
    };
    known(name)
}

/// Woothee says `UNKNOWN` for what it does not know.
fn known(text: &str) -> Option<&str> {
    (!text.is_empty() && text != woothee::woothee::VALUE_UNKNOWN).then_some(text)
}

fn leading_digits(version: &str) -> Option<&str> {
    let major = version.split(|character: char| !character.is_ascii_digit()).next()?;
    (!major.is_empty()).then_some(major)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(user_agent: &str) -> String {
        let Browser { name, major_version, os_name, os_version } = Browsers::default().read(user_agent);
        [name, major_version, os_name, os_version]
            .map(|text| text.unwrap_or("-".into()).into_string())
            .join(" | ")
    }

    #[test]
    fn browsers_and_systems_have_the_names_of_bowser() {
        let agents = [
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Safari/537.36",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Safari/537.36 Edg/119.0.0.0",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/64.0.3282.140 Safari/537.36 Edge/18.17763",
            "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:120.0) Gecko/20100101 Firefox/120.0",
            "Mozilla/5.0 (Windows NT 6.1; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/109.0.0.0 Safari/537.36 OPR/95.0.0.0",
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Safari/605.1.15",
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:120.0) Gecko/20100101 Firefox/120.0",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Mobile/15E148 Safari/604.1",
            "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/119.0.6045.109 Mobile/15E148 Safari/604.1",
            "Mozilla/5.0 (Linux; Android 13; SM-G991B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/23.0 Chrome/115.0.0.0 Mobile Safari/537.36",
            "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Mobile Safari/537.36 EdgA/119.0.0.0",
            "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/119.0.0.0 Safari/537.36",
            "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Safari/537.36",
            "curl/8.5.0",
            "Mozilla/5.0",
        ];
        insta::assert_snapshot!(agents.map(shown).join("\n"), @"
        Chrome | 119 | Windows | NT 10.0
        Microsoft Edge | 119 | Windows | NT 10.0
        Microsoft Edge | 18 | Windows | NT 10.0
        Internet Explorer | 11 | Windows | NT 10.0
        Firefox | 120 | Windows | NT 10.0
        Opera | 95 | Windows | NT 6.1
        Safari | 17 | macOS | 10.15.7
        Firefox | 120 | macOS | 10.15
        Safari | 17 | iOS | 17.1
        Chrome | 119 | iOS | 16.6
        Samsung Internet for Android | 23 | Android | 13
        Microsoft Edge | 119 | Android | 14
        Firefox | 120 | Linux | -
        Chrome Headless | 119 | Linux | -
        Chrome | 119 | Chrome OS | -
        - | - | - | -
        - | - | - | -
        ");
    }

    #[test]
    fn a_flood_of_user_agents_does_not_push_out_the_ones_in_use() {
        let mut browsers = Browsers::default();
        for number in 0..3 * MAX_REMEMBERED {
            browsers.read("in use/1");
            browsers.read(&format!("made up/{number}"));
            assert!(browsers.recent.len() + browsers.older.len() <= MAX_REMEMBERED);
        }
        assert!(browsers.recent.contains_key("in use/1") || browsers.older.contains_key("in use/1"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_user_agent_can_break_the_reader(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "Mozilla/5.0 ", "(Windows NT ", "10.0;", ")", "Chrome/", "Edg/", "; CPU iPhone OS ", "Mac OS X ",
                    "Android ", "rv:", "MSIE ", "Trident/", "17_1", " like Mac OS X", "é", "UNKNOWN", "KDDI-", "\\",
                ]),
                0..12,
            ),
        ) {
            Browsers::default().read(&parts.concat());
        }
    }
}
