//! The plugins that come with the workspace, each behind its feature.

#[cfg(feature = "config")]
use senseops_config::Registry;

/// Where events come from.
pub mod sources {
    #[cfg(feature = "source-healthcheck")]
    pub use senseops_source_healthcheck as healthcheck;
    #[cfg(feature = "source-udp")]
    pub use senseops_source_udp as udp;
}

/// Where events go.
pub mod sinks {
    #[cfg(feature = "sink-console")]
    pub use senseops_sink_console as console;
    #[cfg(feature = "sink-influx")]
    pub use senseops_sink_influx as influx;
    #[cfg(feature = "sink-mqtt")]
    pub use senseops_sink_mqtt as mqtt;
}

/// Adds a plugin if its feature is on, and its name if not, so that who misses it is told which feature brings it.
#[cfg(feature = "config")]
macro_rules! add {
    ($registry:ident.$method:ident, Role::$role:ident, $type_name:literal, $feature:literal, $config:path) => {
        #[cfg(feature = $feature)]
        let $registry = $registry.$method::<$config>();
        #[cfg(not(feature = $feature))]
        let $registry = $registry.absent(senseops_config::Role::$role, $type_name, $feature);
    };
}

/// All plugins whose features are on. Add your own with [`Registry::source`], [`Registry::relay`] and
/// [`Registry::sink`].
#[cfg(feature = "config")]
#[rustfmt::skip]
pub fn builtin() -> Registry {
    let registry = Registry::new();
    add!(registry.source, Role::Source, "healthcheck", "source-healthcheck", senseops_source_healthcheck::HealthcheckConfig);
    add!(registry.source, Role::Source, "udp", "source-udp", senseops_source_udp::UdpConfig);
    add!(registry.sink, Role::Sink, "console", "sink-console", senseops_sink_console::ConsoleConfig);
    add!(registry.sink, Role::Sink, "influx", "sink-influx", senseops_sink_influx::InfluxConfig);
    add!(registry.sink, Role::Sink, "mqtt", "sink-mqtt", senseops_sink_mqtt::MqttConfig);
    registry
}
