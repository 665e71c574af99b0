//! What the system says about this process, under the names that all exporters use.

/// The text format of Prometheus; empty where the system does not say it in `/proc`.
pub(super) fn metrics() -> String {
    let mut text = String::new();
    let samples = [
        ("process_resident_memory_bytes", "gauge", "Memory in use, in bytes.", resident()),
        ("process_open_fds", "gauge", "Open files, sockets among them.", open_files()),
        ("process_max_fds", "gauge", "Files that may be open.", most_files()),
        ("process_cpu_seconds_total", "counter", "Time of processors used, in seconds.", cpu_seconds()),
    ];
    for (name, kind, help, value) in samples {
        if let Some(value) = value {
            text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n"));
        }
    }
    text
}

fn resident() -> Option<f64> {
    let kibibytes = field(&std::fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")?;
    Some(kibibytes * 1024.0)
}

fn open_files() -> Option<f64> {
    // The folder that is read is one of them.
    let count = std::fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
    u32::try_from(count).ok().map(f64::from)
}

fn most_files() -> Option<f64> {
    field(&std::fs::read_to_string("/proc/self/limits").ok()?, "Max open files")
}

/// User and system time, the 14th and 15th field, in hundredths of a second on every Linux.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program, in brackets, may hold blanks.
    let mut after = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    let mut ticks = || after.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / 100.0)
}

/// The first number behind a name at the beginning of a line.
fn field(text: &str, name: &str) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_files_and_time() {
        let text = metrics();
        for name in [
            "process_resident_memory_bytes",
            "process_open_fds",
            "process_max_fds",
            "process_cpu_seconds_total",
        ] {
            let value = field(&text, &format!("{name} ")).unwrap();
            assert!(value > 0.0 || name.ends_with("_total"), "{text}");
        }
    }

    #[test]
    fn a_field_is_the_first_number_behind_its_name() {
        assert_eq!(field("VmPeak:\t 9 kB\nVmRSS:\t   12 kB\n", "VmRSS:"), Some(12.0));
        assert_eq!(field("VmRSS: none", "VmRSS:"), None);
    }
}
