//! What the user writes.

use std::net::{Ipv4Addr, SocketAddr};

use senseops_core::PlanError;
use senseops_core::schemars::{self, JsonSchema};
use senseops_core::settings::{Secret, Warning};
use senseops_net::ServerTls;
use serde::Deserialize;

/// Where [`WebConfig::listen`] points unless set.
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8090);

/// The `web` table: where a running pipeline is looked into. Without the table there is no listener.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WebConfig {
    /// The address. Default 127.0.0.1:8090. One that other machines reach needs a token.
    pub listen: SocketAddr,
    /// What clients must present as `Authorization: Bearer …` for more than the one word of `/livez` and `/readyz`.
    /// Default none: programs of this machine may have everything, and proxies nothing.
    pub token: Option<Secret>,
    /// The certificate and key of the listener. Default none: plain HTTP.
    pub tls: Option<ServerTls>,
}

impl Default for WebConfig {
    fn default() -> Self {
        Self { listen: DEFAULT_LISTEN, token: None, tls: None }
    }
}

impl WebConfig {
    /// What works but should be known.
    ///
    /// # Errors
    /// When other machines could ask, and nothing keeps them from it.
    pub fn check(&self) -> Result<Vec<Warning>, PlanError> {
        let is_loopback = self.listen.ip().to_canonical().is_loopback();
        if !is_loopback && self.token.is_none() {
            return Err(PlanError::at(
                "token",
                format!(
                    "a token is needed, since other machines can reach {}; or listen on 127.0.0.1",
                    self.listen
                ),
            ));
        }
        let mut warnings = Vec::from_iter(self.token.as_ref().and_then(|token| token.warning("token")));
        warnings.extend(self.tls.iter().flat_map(|tls| tls.warnings("tls")));
        if !is_loopback && self.tls.is_none() {
            warnings.push(Warning::at(
                "listen",
                "without web.tls the token goes over the network for everyone on the way to read",
            ));
        }
        Ok(warnings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> WebConfig {
        serde_saphyr::from_str(yaml).unwrap()
    }

    #[test]
    fn another_address_than_loopback_needs_a_token() {
        let refused = read("listen: 0.0.0.0:8090").check().unwrap_err();
        assert_eq!(refused.key, "token");
        insta::assert_snapshot!(refused, @"a token is needed, since other machines can reach 0.0.0.0:8090; or listen on 127.0.0.1");
        for harmless in
            ["{}", "listen: 127.3.2.1:80", "listen: '[::1]:80'", "listen: '[::ffff:127.0.0.1]:80'"]
        {
            assert_eq!(read(harmless).check().unwrap(), [], "{harmless}");
        }
    }

    #[test]
    fn what_goes_over_the_network_in_clear_text_is_told() {
        let keys = |yaml: &str| {
            read(yaml).check().unwrap().into_iter().map(|warning| warning.key).collect::<Vec<_>>()
        };
        assert_eq!(keys("{ listen: '0.0.0.0:8090', token: canary }"), ["token", "listen"]);
        assert_eq!(
            keys("{ listen: '0.0.0.0:8090', token: { env: X }, tls: { cert: a.pem, key: b.pem } }"),
            [""; 0]
        );
    }
}
