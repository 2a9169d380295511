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

#[tokio::test]
async fn servers_have_the_ports_from_the_first_on() {
    let beyond = EstateConfig { servers: 2, first_port: u16::MAX.try_into().ok(), ..EstateConfig::default() };
    let error = Estate::start(beyond).await.unwrap_err();
    insta::assert_snapshot!(error, @"2 servers from port 65535 on need ports beyond 65535; begin at a lower one");

    let free = Estate::start(EstateConfig { servers: 1, ..EstateConfig::default() }).await.unwrap();
    let port = free.servers()[0].address().port();
    drop(free);
    let again = EstateConfig { servers: 1, first_port: port.try_into().ok(), ..EstateConfig::default() };
    // The port is free again once the task of the first one has ended.
    let again = loop {
        match Estate::start(again.clone()).await {
            Ok(estate) => break estate,
            Err(_still_open) => tokio::task::yield_now().await,
        }
    };
    assert_eq!(again.servers()[0].address().port(), port);
}
