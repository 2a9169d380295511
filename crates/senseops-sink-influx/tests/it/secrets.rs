//! Secrets that change while the program runs.

use senseops_core::Build;
use senseops_core::host::IntoComponents;
use senseops_sink_influx::InfluxConfig;
use senseops_testkit::HttpTarget;
use serde_json::json;

use crate::events::sample;

#[tokio::test]
async fn a_sink_that_is_built_anew_has_the_password_that_is_in_the_file_then() {
    let target = HttpTarget::start().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let password = directory.path().join("password");
    let config = json!({ "url": target.url(), "username": "anna", "password": { "file": password } });
    let config: InfluxConfig = serde_json::from_value(config).unwrap();
    let factory = config.into_components().unwrap().remove(0).factory;
    let mut noted = Vec::new();
    for text in ["wrong\n", "canary\n"] {
        tokio::fs::write(&password, text).await.unwrap();
        let build = Build::detached("influx.main");
        let sink = factory.build(build.clone()).await.unwrap();
        sink.write(&vec![sample("third.party", 0, "load", 1)].into()).await.unwrap();
        noted.extend(build.files.noted());
    }
    let logins: Vec<_> = target
        .requests()
        .iter()
        .map(|request| request.header("authorization").unwrap_or_default().to_owned())
        .collect();
    // "anna:wrong" and "anna:canary".
    assert_eq!(logins, ["Basic YW5uYTp3cm9uZw==", "Basic YW5uYTpjYW5hcnk="]);
    assert_eq!(noted.iter().map(|(path, _)| path).collect::<Vec<_>>(), [&password, &password]);
    assert_ne!(noted[0].1.digest, noted[1].1.digest);
}
