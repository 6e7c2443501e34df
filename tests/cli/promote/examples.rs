//! The examples of hooks: sound scripts that ask the tools of others for the right thing.

#![cfg(unix)]

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::project::Project;

/// An example, written to a file, and stubs of the tools that it calls: they note their arguments in `calls`.
fn example(name: &str, stub: &str) -> Project {
    let project = Project::new();
    let script = project.seatrial(&["promote", "hooks", "--example", name]).code(0).out;
    let explained = project.seatrial(&["explain", "promote-hooks"]).code(0).out;
    assert!(explained.contains(script.trim_end()), "`explain` shows it, too");
    project.file("hook.sh", &script);
    let sound = Command::new("sh").args(["-n", "hook.sh"]).current_dir(project.path("")).status();
    assert!(sound.expect("a shell").success());
    for tool in ["aws", "kubectl"] {
        let path = project.file(&format!("bin/{tool}"), format!("#!/bin/sh\necho \"$0 $*\" >> calls\n{stub}\n"));
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("executable");
    }
    project
}

/// Runs it as a hook would; whether it ended well, and which calls it made, one a line.
fn run(project: &Project, more: &[(&str, &str)]) -> (bool, String) {
    let path = format!("{}:{}", project.path("bin").display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("sh");
    command.arg("hook.sh").current_dir(project.path("")).env_clear().env("PATH", path);
    command.envs([
        ("SEATRIAL_PROMOTE_AGENT", "support"),
        ("SEATRIAL_PROMOTE_VERSION", "7"),
        ("SEATRIAL_PROMOTE_TARGET", "prod"),
        ("SEATRIAL_PROMOTE_PROMOTION", "p3"),
        ("SEATRIAL_PROMOTE_OCCASION", "on_approve"),
        ("SEATRIAL_PROMOTE_ARTIFACT", "sha256:abc"),
        ("PAUSE", "0"),
    ]);
    let done = command.envs(more.iter().copied()).output().expect("a shell");
    (done.status.success(), std::fs::read_to_string(project.path("calls")).unwrap_or_default())
}

#[test]
fn an_endpoint_of_agentcore_is_moved_and_waited_for() {
    let stub = "case \"$*\" in *get-agent*) echo \"READY 7\";; esac";
    let (done, calls) = run(&example("agentcore", stub), &[("AGENT_RUNTIME_ID", "support-abc")]);
    assert!(done, "{calls}");
    let moved =
        "update-agent-runtime-endpoint --agent-runtime-id support-abc --endpoint-name prod --agent-runtime-version 7";
    assert!(calls.contains(moved), "{calls}");
    let (done, _) = run(&example("agentcore", "echo UPDATE_FAILED 6"), &[("AGENT_RUNTIME_ID", "support-abc")]);
    assert!(!done);
    let never = [("AGENT_RUNTIME_ID", "support-abc"), ("TRIES", "2")];
    assert!(!run(&example("agentcore", "echo READY 6"), &never).0);
    let (done, calls) = run(&example("agentcore", stub), &[]);
    assert!(!done && calls.is_empty(), "without an id nothing is asked");
}

#[test]
fn a_tag_of_ecr_is_moved_to_the_digest() {
    let stub = "case \"$*\" in *imageManifestMediaType*) echo type;; *imageManifest*) echo '{\"m\":1}';; esac";
    let (done, calls) = run(&example("ecr", stub), &[]);
    assert!(done, "{calls}");
    let put = "put-image --repository-name support --image-tag prod --image-manifest {\"m\":1} --image-manifest-media-type type \
               --image-digest sha256:abc";
    assert!(calls.contains(put), "{calls}");
    let (done, calls) = run(&example("ecr", "case \"$*\" in *describe*) echo sha256:abc;; esac"), &[]);
    assert!(done && !calls.contains("put-image"), "what has the tag already is left: {calls}");
    assert!(!run(&example("ecr", "case \"$*\" in *batch-get*) echo None;; esac"), &[]).0);
}

#[test]
fn a_deployment_of_kubernetes_gets_the_image_by_its_digest() {
    let (done, calls) = run(&example("kubernetes", ""), &[("IMAGE", "registry.example/support")]);
    assert!(done, "{calls}");
    for call in [
        "--namespace prod set image deployment/support support=registry.example/support@sha256:abc",
        "--namespace prod rollout status deployment/support",
    ] {
        assert!(calls.contains(call), "{calls}");
    }
    assert!(!run(&example("kubernetes", "exit 1"), &[("IMAGE", "registry.example/support")]).0);
}
