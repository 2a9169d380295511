//! What this process takes of the machine.
//!
//! Source: proc(5), `/proc/self/{stat,status,limits,fd}` and `/proc/stat`. Other systems do not say it in files.

use serde::{Deserialize, Serialize};

/// What the program takes of the machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProcessStatus {
    /// Its number.
    #[serde(default)]
    pub pid: u32,
    /// Processor time, in the program and in the kernel for it.
    pub cpu_seconds: f64,
    /// Memory that is resident.
    pub resident_memory_bytes: u64,
    /// Address space that is mapped.
    pub virtual_memory_bytes: u64,
    /// Open files, sockets included.
    pub open_fds: u64,
    /// How many there may be; `None` without a limit.
    pub max_fds: Option<u64>,
    /// Threads of the system.
    pub threads: u64,
    /// When the program was started, in seconds since 1970-01-01T00:00:00Z.
    pub start_time_unix_seconds: f64,
}

/// This process now; `None` where the system does not say. Answers from memory, without a disk.
#[cfg(target_os = "linux")]
#[expect(clippy::disallowed_methods, reason = "procfs answers from memory, it never waits for a disk")]
pub(crate) fn read() -> Option<ProcessStatus> {
    let text = |path: &str| std::fs::read_to_string(path).ok();
    let open_fds = std::fs::read_dir("/proc/self/fd").ok()?.count();
    let texts = Texts {
        stat: &text("/proc/self/stat")?,
        status: &text("/proc/self/status")?,
        limits: &text("/proc/self/limits")?,
        system: &text("/proc/stat")?,
    };
    // Reading the directory takes one of its own.
    let open_fds = u64::try_from(open_fds.saturating_sub(1)).ok()?;
    Some(ProcessStatus { open_fds, ..texts.parse()? })
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn read() -> Option<ProcessStatus> {
    None
}

/// The unit of times in `/proc/*/stat`: the kernel's `USER_HZ`, which is 100 on every system that Rust has a standard
/// library for.
#[cfg(any(target_os = "linux", test))]
const TICKS_PER_SECOND: f64 = 100.0;

#[cfg(any(target_os = "linux", test))]
struct Texts<'a> {
    stat: &'a str,
    status: &'a str,
    limits: &'a str,
    system: &'a str,
}

#[cfg(any(target_os = "linux", test))]
impl Texts<'_> {
    fn parse(&self) -> Option<ProcessStatus> {
        // The second column is the name of the program, which may hold blanks and parentheses.
        let columns: Vec<&str> = self.stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        // Numbered from one in proc(5), where the column after the name is the third.
        let column = |number: usize| columns.get(number - 3)?.parse::<f64>().ok();
        let kibibytes =
            |name: &str| Some(self.status_line(name)?.strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024);
        let boot = self.system.lines().find_map(|line| line.strip_prefix("btime "))?;
        Some(ProcessStatus {
            pid: self.stat.split_ascii_whitespace().next()?.parse().ok()?,
            cpu_seconds: (column(14)? + column(15)?) / TICKS_PER_SECOND,
            resident_memory_bytes: kibibytes("VmRSS:")?,
            virtual_memory_bytes: kibibytes("VmSize:")?,
            open_fds: 0,
            max_fds: self.max_fds(),
            threads: self.status_line("Threads:")?.parse().ok()?,
            start_time_unix_seconds: boot.trim().parse::<f64>().ok()? + column(22)? / TICKS_PER_SECOND,
        })
    }

    fn status_line(&self, name: &str) -> Option<&str> {
        self.status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
    }

    fn max_fds(&self) -> Option<u64> {
        let limit = self.limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
        limit.split_ascii_whitespace().next()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_as_proc_5_has_them() {
        let texts = Texts {
            stat: "4242 (so) s (x)) S 1 4242 4242 0 -1 4194560 2500 0 3 0 1234 66 0 0 20 0 7 0 500000 250000000 6400 18446744073709551615 1 1 0 0\n",
            status: "Name:\tsos\nVmPeak:\t  300000 kB\nVmSize:\t  244140 kB\nVmRSS:\t   25600 kB\nThreads:\t7\n",
            limits: "Limit                     Soft Limit           Hard Limit           Units\nMax open files            1024                 524288               files\n",
            system: "cpu  1 2 3\nbtime 1700000000\n",
        };
        let expected = ProcessStatus {
            pid: 4242,
            cpu_seconds: 13.0,
            resident_memory_bytes: 25_600 * 1024,
            virtual_memory_bytes: 244_140 * 1024,
            open_fds: 0,
            max_fds: Some(1024),
            threads: 7,
            start_time_unix_seconds: 1_700_005_000.0,
        };
        assert_eq!(texts.parse(), Some(expected));
        assert_eq!(Texts { stat: "4242 (sos) S 1", ..texts }.parse(), None);
        assert_eq!(Texts { limits: "Max open files  unlimited unlimited files\n", ..texts }.max_fds(), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_files_threads_and_memory() {
        let here = read().unwrap();
        assert!(here.open_fds >= 3 && here.threads >= 1 && here.resident_memory_bytes > 0, "{here:?}");
    }
}
