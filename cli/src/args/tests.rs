//! The command line as users type it.

use clap::CommandFactory;

use super::*;
use crate::output::Format;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

#[test]
fn the_declaration_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn a_query_on_the_command_line() {
    let cli = parse("sluice sql -e select_1 --format csv --quiet --conf a.b=1 -c c.d=2 --master local[4]").unwrap();
    let Command::Sql(sql) = cli.command else { panic!("sql was expected") };
    assert!(cli.global.quiet);
    assert_eq!(sql.source.execute, ["select_1"]);
    assert_eq!(sql.output.format, Format::Csv);
    assert_eq!(sql.session.master.as_deref(), Some("local[4]"));
    assert_eq!(sql.session.settings.conf, [("a.b".into(), "1".into()), ("c.d".into(), "2".into())]);
}

#[test]
fn a_job_with_everything() {
    let cli = parse("sluice run job.sql --name n --queue q --var a=1 --var b= --detach --master sluice://h:1").unwrap();
    let Command::Run(run) = cli.command else { panic!("run was expected") };
    assert_eq!(run.job, PathBuf::from("job.sql"));
    assert_eq!((run.name.as_deref(), run.queue.as_deref(), run.detach), (Some("n"), Some("q"), true));
    assert_eq!(run.variables.variables, [("a".into(), "1".into()), ("b".into(), String::new())]);
}

#[test]
fn a_local_cluster_is_started_as_the_engine_starts_it() {
    let cli = parse("sluice cluster --executors 2 --port 0 --exit-with-parent --conf datafusion.x=1").unwrap();
    let Command::Cluster(cluster) = cli.command else { panic!("cluster was expected") };
    assert_eq!((cluster.executors, cluster.port, cluster.role.exit_with_parent), (2, 0, true));
    assert_eq!(cluster.role.bind, "127.0.0.1");
}

#[test]
fn a_benchmark() {
    let line = "sluice bench tpch --scale 0.1 --queries 1,3-5 --iterations 2 --verify --against datafusion --json f";
    let Command::Bench(BenchArgs { benchmark: Benchmark::Tpch(tpch) }) = parse(line).unwrap().command else {
        panic!("bench was expected")
    };
    assert_eq!(tpch.scale, 0.1);
    assert_eq!(tpch.queries.map(|list| list.0), Some(vec![1, 3, 4, 5]));
    assert_eq!((tpch.iterations, tpch.verify, tpch.against), (2, true, vec![SqlPeer::Datafusion]));
}

#[test]
fn a_benchmark_of_functions() {
    let line = "sluice bench features --rows 2000 --functions iv,woe_apply --against polars,category_encoders -i 5";
    let Command::Bench(BenchArgs { benchmark: Benchmark::Features(features) }) = parse(line).unwrap().command else {
        panic!("bench was expected")
    };
    assert_eq!((features.rows, features.iterations), (2000, 5));
    assert_eq!(features.functions, ["iv", "woe_apply"]);
    assert_eq!(features.against, [FeaturePeer::Polars, FeaturePeer::CategoryEncoders]);
}

#[test]
fn mistakes_are_refused() {
    for line in [
        "sluice sql -e x -f y",
        "sluice sql --conf novalue",
        "sluice run",
        "sluice run a.sql --var novalue",
        "sluice cluster --executors 0",
        "sluice bench tpch --queries 0",
        "sluice bench features --rows 0",
        "sluice bench features --against pandas",
        "sluice sql --format xml -e x",
        "sluice nonsense",
    ] {
        let error = parse(line).err().unwrap_or_else(|| panic!("{line} was taken"));
        assert!(error.use_stderr(), "{line}");
    }
}

#[test]
fn the_version_names_the_commit() {
    let error = parse("sluice --version").unwrap_err();
    assert!(!error.use_stderr());
    let text = error.to_string();
    assert!(text.starts_with(concat!("sluice ", env!("CARGO_PKG_VERSION"), " (")) && text.trim_end().ends_with(')'));
}
