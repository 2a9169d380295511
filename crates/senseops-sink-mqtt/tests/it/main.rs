//! The sink against a scripted broker and a real Mosquitto.

mod broker;
mod config;
mod contract;
mod kills;
mod mosquitto;
mod scripted;
mod support;
