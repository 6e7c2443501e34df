//! What goes wrong around it: nothing that was acknowledged is lost, and nothing counts twice.

#[cfg(target_os = "linux")]
mod full {
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use super::super::process::{Watch, rows};
    use super::super::turn;
    use crate::project::Project;

    /// A disk of a few megabytes, in memory.
    struct Disk(PathBuf);

    impl Disk {
        /// `None` where it cannot be made: that takes root.
        fn new(at: &Path) -> Option<Self> {
            std::fs::create_dir_all(at).expect("a folder");
            let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=3m", "tmpfs"]).arg(at).output();
            mount.is_ok_and(|done| done.status.success()).then(|| Self(at.to_owned()))
        }
    }

    impl Drop for Disk {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg("--lazy").arg(&self.0).output();
        }
    }

    /// A reply that does not pack well.
    fn long(random: &mut fastrand::Rng) -> String {
        (0..200_000).map(|_| random.alphanumeric()).chain(" ok".chars()).collect()
    }

    #[test]
    fn a_full_disk_turns_agents_away_and_loses_nothing_that_was_acknowledged() {
        let project = Project::with(super::super::SUITE, &["{}"]);
        let Some(disk) = Disk::new(&project.path("small")) else {
            eprintln!("no small disk can be made here, which takes root: nothing was tested");
            return;
        };
        let filler = disk.0.join("filler");
        std::fs::write(&filler, vec![7; 1 << 20]).expect("a filler");
        let watch = Watch::start(&project, &["--state", "small/watch"]);
        let mut random = fastrand::Rng::with_seed(3);
        let (mut taken, mut n, mut refused) = (Vec::new(), 0, 0);
        while refused == 0 {
            let name = format!("s{n}");
            match watch.send(&turn(&name, 1, &long(&mut random))) {
                200 => taken.push(name),
                status => {
                    assert!(status == 429 || status == 503, "to come again: {status}");
                    refused += 1;
                }
            }
            n += 1;
            assert!(n < 100, "the disk is never full");
        }
        assert_eq!(watch.look("/healthz").2, "ok\n");
        let (_, _, metrics) = watch.look("/metrics");
        let counted = metrics.lines().find_map(|line| line.strip_prefix("seatrial_watch_refused_requests_total "));
        assert!(counted.is_some_and(|n| n.parse::<u64>().is_ok_and(|n| n > 0)), "{metrics}");
        // Somebody makes room.
        std::fs::remove_file(&filler).expect("removed");
        watch.deliver(&turn("later", 1, "it is ok"));
        taken.push("later".to_owned());
        watch.kill();
        let watch = Watch::start(&project, &["--state", "small/watch", "--idle", "200ms"]);
        watch.until("seatrial_watch_open_sessions 0");
        watch.kill();
        let mut found: Vec<String> = rows(&project, "s").into_iter().map(|(row, _)| row.watched.session).collect();
        found.sort_unstable();
        taken.sort_unstable();
        assert_eq!(found, taken);
    }
}
