//! The sink against a scripted server, a real InfluxDB, and every point that can be made.

mod config;
mod contract;
mod events;
mod influxd;
mod round_trip;
mod scripted;
mod secrets;
mod series;
