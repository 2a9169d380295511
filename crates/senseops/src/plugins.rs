//! The plugins that come with the program, one line each.

use senseops_config::Registry;

/// All sources and sinks whose features are on. Add your own with [`Registry::source`] and [`Registry::sink`].
pub fn builtin() -> Registry {
    let registry = Registry::new();
    #[cfg(feature = "source-healthcheck")]
    let registry = registry.source::<senseops_source_healthcheck::HealthcheckConfig>();
    #[cfg(feature = "source-udp")]
    let registry = registry.source::<senseops_source_udp::UdpConfig>();
    #[cfg(feature = "sink-console")]
    let registry = registry.sink::<senseops_sink_console::ConsoleConfig>();
    #[cfg(feature = "sink-influx")]
    let registry = registry.sink::<senseops_sink_influx::InfluxConfig>();
    #[cfg(feature = "sink-mqtt")]
    let registry = registry.sink::<senseops_sink_mqtt::MqttConfig>();
    registry
}
