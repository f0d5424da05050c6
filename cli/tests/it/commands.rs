//! The command line itself: formats, exit codes, precedence of settings, and commands without statements.

use crate::support::{Scratch, repository, stderr, stdout};

#[test]
fn select_one_prints_a_and_one() {
    let output = Scratch::new().run(&["sql", "-e", "select 1 as a", "--format", "csv"]);
    assert_eq!(stdout(&output), "a\n1\n");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn every_format_says_the_same() {
    let scratch = Scratch::new();
    let sql = "select 1 as a, 'x' as b union all select 2, null order by a";
    let print = |format: &str| scratch.run(&["sql", "-e", sql, "--format", format]);
    assert_eq!(stdout(&print("csv")), "a,b\n1,x\n2,\n");
    assert_eq!(stdout(&print("ndjson")), "{\"a\":1,\"b\":\"x\"}\n{\"a\":2,\"b\":null}\n");
    assert!(stdout(&print("table")).contains("| 2 | NULL |"), "{}", stdout(&print("table")));
    assert_eq!(&print("parquet").stdout[..4], b"PAR1");
    let arrow = print("arrow").stdout;
    let reader = datafusion::arrow::ipc::reader::StreamReader::try_new(arrow.as_slice(), None).unwrap();
    assert_eq!(reader.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 2);
}

#[test]
fn settings_come_from_the_file_then_the_environment_then_the_command_line_then_set() {
    let scratch = Scratch::new();
    std::fs::write(scratch.path("sluice.toml"), "[execution]\nbytes_per_partition = \"1MiB\"\n").unwrap();
    let show = "SELECT value FROM information_schema.df_settings WHERE name = 'sluice.execution.bytes_per_partition'";
    let with = |arguments: &[&str], variable: Option<&str>, sql: &str| {
        let mut command = scratch.command();
        command.args(["sql", "--format", "csv", "-e", sql]).args(arguments);
        if let Some(value) = variable {
            command.env("SLUICE_EXECUTION__BYTES_PER_PARTITION", value);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    };
    let conf = ["--conf", "sluice.execution.bytes_per_partition=3MiB"];
    assert_eq!(with(&[], None, show), "value\n1MiB\n");
    assert_eq!(with(&[], Some("2MiB"), show), "value\n2MiB\n");
    assert_eq!(with(&conf, Some("2MiB"), show), "value\n3MiB\n");
    let set = format!("SET sluice.execution.bytes_per_partition = '4MiB'; {show}");
    assert_eq!(with(&conf, Some("2MiB"), &set), "value\n4MiB\n");
}

#[test]
fn the_settings_page_is_current() {
    let page = stdout(&Scratch::new().run(&["config", "reference"]));
    let kept = std::fs::read_to_string(repository().join("docs/configuration.md")).unwrap();
    assert!(page == kept, "docs/configuration.md is not what `sluice config reference` prints");
}

#[test]
fn the_functions_page_is_current() {
    let page = stdout(&Scratch::new().run(&["functions"]));
    let kept = std::fs::read_to_string(repository().join("docs/functions.md")).unwrap();
    assert!(page == kept, "docs/functions.md is not what `sluice functions` prints");
}

#[test]
fn check_finds_the_place_and_runs_nothing() {
    let scratch = Scratch::new();
    let script = scratch.path("job.sql");
    std::fs::write(&script, "CREATE TABLE made AS SELECT 1 AS a;\n\nSELECT b\nFROM made;\n").unwrap();
    let output = scratch.run(&["check", &script]);
    assert_eq!(output.status.code(), Some(1));
    let message = stderr(&output);
    assert!(message.contains("error[S0102]") && message.contains("job.sql:3:8"), "{message}");
    std::fs::write(&script, "CREATE TABLE made AS SELECT 1 AS a;\nSELECT a FROM made;\n").unwrap();
    let output = scratch.run(&["check", &script]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let output = scratch.run(&["sql", "-e", "SELECT a FROM made"]);
    assert!(stderr(&output).contains("error[S0101]"), "check made a table");
}

#[test]
fn the_example_jobs_check() {
    let scratch = Scratch::new();
    let data = repository().join("examples/credit/germancredit.csv");
    let job = repository().join("examples/credit/job.sql");
    let out = scratch.path("out");
    let output = scratch.run(&[
        "check",
        &job.to_string_lossy(),
        "--var",
        &format!("data={}", data.display()),
        "--var",
        &format!("out={out}"),
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(!std::path::Path::new(&out).exists());
}

#[test]
fn version_names_the_commit_and_completions_are_printed() {
    let scratch = Scratch::new();
    let version = stdout(&scratch.run(&["--version"]));
    assert!(version.starts_with("sluice 0.1.0"), "{version}");
    for shell in ["bash", "zsh", "fish"] {
        assert!(stdout(&scratch.run(&["completions", shell])).contains("sluice"));
    }
    assert_eq!(scratch.run(&["no-such-command"]).status.code(), Some(1));
}

#[test]
fn the_catalog_outlives_the_process() {
    let scratch = Scratch::new();
    assert!(
        scratch
            .run(&["sql", "-e", "CREATE TABLE t AS SELECT 7 AS a; CREATE VIEW v AS SELECT a + 1 AS b FROM t"])
            .status
            .success()
    );
    assert_eq!(stdout(&scratch.run(&["sql", "--format", "csv", "-e", "SELECT b FROM v"])), "b\n8\n");
    let cluster = scratch.cluster(1, &[]);
    let output = scratch.run(&["sql", "--master", &cluster.url, "--format", "csv", "-e", "SELECT b FROM v"]);
    assert_eq!(stdout(&output), "b\n8\n", "{}", stderr(&output));
}
