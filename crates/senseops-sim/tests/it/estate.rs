//! Several servers together.

use senseops_sim::{Estate, EstateConfig};

use crate::client::Client;

#[tokio::test]
async fn every_server_of_an_estate_is_served_with_the_same_files() {
    let estate =
        Estate::start(EstateConfig { servers: 3, speed: 0.0, ..EstateConfig::default() }).await.unwrap();
    let mut answers = Vec::new();
    for server in estate.servers() {
        let mut client = Client::connect(server, estate.pem_files()).await.unwrap();
        answers.push(client.health().await.unwrap().json());
    }
    let names: Vec<_> = estate.servers().iter().map(|server| (server.name(), server.tags()[0].1)).collect();
    assert_eq!(names, [("Server1", "central"), ("Server2", "consumer"), ("Server3", "scheduler")]);
    assert!(answers.iter().all(|health| health["users"]["total"].as_i64() > Some(0)));
    assert_ne!(answers.first(), answers.last());
}

#[tokio::test]
async fn temporary_certificates_go_with_the_estate_and_given_ones_stay() {
    let dir = tempfile::tempdir().unwrap();
    let config = EstateConfig { servers: 1, plain_http: true, ..EstateConfig::default() };
    let temporary = Estate::start(config.clone()).await.unwrap();
    let given = Estate::start(EstateConfig { dir: Some(dir.path().to_owned()), ..config }).await.unwrap();
    let (gone, stays) = (temporary.pem_files().ca.clone(), given.pem_files().ca.clone());
    assert!(gone.exists() && stays.exists());
    drop((temporary, given));
    assert!(!gone.exists() && stays.exists());
}
