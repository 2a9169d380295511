//! Why there is no connection, for the engine and for people.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "errors of the system, of rustls and of rumqttc; most have no story of their own"
)]

use std::io;

use rumqttc::tokio_rustls::rustls;
use rumqttc::{ConnectReturnCode, ConnectionError, StateError, TlsError, mqttbytes};
use senseops_core::WriteError;
use senseops_net::{Failure, Reason};

use crate::broker::Broker;

/// A connection that was lost, or never came about.
#[derive(Clone, Debug)]
pub(crate) struct Lost {
    pub(crate) failure: Failure,
    pub(crate) end: End,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The broker does not want us.
    Denied,
    /// The broker hung up, or died.
    HungUp,
    /// In any other way.
    Failed,
}

impl Lost {
    /// The same for a write.
    pub(crate) fn to_error(&self) -> WriteError {
        let cause = Box::new(self.failure.clone());
        match self.end {
            End::Denied => WriteError::Denied(cause),
            End::HungUp | End::Failed => WriteError::unavailable(self.failure.clone()),
        }
    }
}

impl Broker {
    /// Nobody answered in time.
    pub(crate) fn unanswered(&self) -> Lost {
        let what = format!("{} did not answer within {:?}", self.origin, self.timeout);
        let advice = "check the address, and that it is an MQTT broker that listens there";
        failed(Failure::new(Reason::Timeout, what, advice))
    }

    /// It was there, and then said nothing any more.
    pub(crate) fn silent(&self) -> Lost {
        let what = format!("{} acknowledged nothing for {:?}", self.origin, self.timeout);
        failed(Failure::new(Reason::Timeout, what, "check the log of the broker"))
    }

    /// It was not possible to connect.
    pub(crate) fn refused(&self, error: ConnectionError) -> Lost {
        match error {
            ConnectionError::ConnectionRefused(code) => self.of_code(code),
            ConnectionError::Io(error) | ConnectionError::Tls(TlsError::Io(error)) => {
                self.of_io(&error, true)
            }
            ConnectionError::Tls(TlsError::TLS(error)) => failed(self.of_tls(&error)),
            ConnectionError::MqttState(error) => self.of_state(error, true),
            ConnectionError::NotConnAck(_) => self.speaks_otherwise(),
            ConnectionError::NetworkTimeout | ConnectionError::FlushTimeout => self.unanswered(),
            other => failed(self.unreachable(&other.to_string())),
        }
    }

    /// The connection broke.
    pub(crate) fn broken(&self, error: StateError) -> Lost {
        self.of_state(error, false)
    }

    fn of_code(&self, code: ConnectReturnCode) -> Lost {
        let origin = &self.origin;
        let denied = |what: String, advice: &str| Lost {
            failure: Failure::new(Reason::Status, what, advice),
            end: End::Denied,
        };
        match code {
            ConnectReturnCode::BadUserNamePassword => denied(
                format!("{origin} does not know this user and password"),
                "check username and password",
            ),
            ConnectReturnCode::NotAuthorized => {
                let advice = if self.has_login {
                    "check username and password, and that the user may connect"
                } else {
                    "set username and password, or tls.cert and tls.key"
                };
                denied(format!("{origin} does not authorize us"), advice)
            }
            ConnectReturnCode::BadClientId => denied(
                format!("{origin} refuses the client id {:?}", self.client_id),
                "set client_id to one that it takes",
            ),
            ConnectReturnCode::RefusedProtocolVersion => {
                denied(format!("{origin} does not speak MQTT 3.1.1"), "use a broker that does")
            }
            ConnectReturnCode::ServiceUnavailable | ConnectReturnCode::Success => {
                failed(Failure::new(Reason::Status, format!("{origin} says that it is unavailable"), ""))
            }
        }
    }

    fn of_state(&self, error: StateError, is_connecting: bool) -> Lost {
        match error {
            StateError::Io(error) | StateError::Deserialization(mqttbytes::Error::Io(error)) => {
                self.of_io(&error, is_connecting)
            }
            StateError::ConnectionAborted => self.hung_up(is_connecting),
            StateError::Deserialization(_) => self.speaks_otherwise(),
            other => failed(self.unreachable(&other.to_string())),
        }
    }

    fn of_io(&self, error: &io::Error, is_connecting: bool) -> Lost {
        use io::ErrorKind;
        let origin = &self.origin;
        if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return failed(self.of_tls(error));
        }
        match error.kind() {
            ErrorKind::ConnectionRefused => failed(Failure::new(
                Reason::Refused,
                format!("{origin} refused the connection"),
                "check that the broker runs and that the port is right",
            )),
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof => self.hung_up(is_connecting),
            ErrorKind::TimedOut => self.unanswered(),
            _ => failed(self.unreachable(&error.to_string())),
        }
    }

    fn hung_up(&self, is_connecting: bool) -> Lost {
        let (what, advice) = if !is_connecting {
            (
                "closed the connection",
                "check the log of the broker; two programs with the same client_id push each other out",
            )
        } else if self.is_encrypted {
            ("closed the connection at once", "check that it accepts our client certificate, if it wants one")
        } else {
            ("closed the connection at once", "if it expects TLS, write mqtts://")
        };
        let failure = Failure::new(Reason::Reset, format!("{} {what}", self.origin), advice);
        Lost { failure, end: End::HungUp }
    }

    fn of_tls(&self, error: &rustls::Error) -> Failure {
        let origin = &self.origin;
        match error {
            rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer) => Failure::new(
                Reason::TlsUntrusted,
                format!("the certificate of {origin} is signed by a CA that is not trusted"),
                "set tls.ca to the certificate of the CA that signed it",
            ),
            rustls::Error::InvalidCertificate(
                error @ (rustls::CertificateError::NotValidForName
                | rustls::CertificateError::NotValidForNameContext { .. }),
            ) => Failure::new(
                Reason::TlsName,
                format!("the certificate of {origin} is for another name ({error})"),
                "if this is the right broker, set tls.server_name to a name in its certificate",
            ),
            rustls::Error::AlertReceived(alert) => Failure::new(
                Reason::TlsClientCertificate,
                format!("{origin} does not accept our side of TLS ({alert:?})"),
                "set tls.cert and tls.key to a certificate that it accepts",
            ),
            rustls::Error::InvalidMessage(_) => Failure::new(
                Reason::Tls,
                format!("{origin} does not answer in TLS"),
                "check the port; if it speaks MQTT without TLS, write mqtt://",
            ),
            other => {
                Failure::new(Reason::Tls, format!("the TLS handshake with {origin} failed: {other}"), "")
            }
        }
    }

    fn speaks_otherwise(&self) -> Lost {
        let what = format!("{} does not answer in MQTT", self.origin);
        failed(Failure::new(Reason::BadBody, what, "check the port"))
    }

    fn unreachable(&self, why: &str) -> Failure {
        let what = format!("{} cannot be reached ({why})", self.origin);
        Failure::new(Reason::Unreachable, what, "check the address, routes and firewalls")
    }
}

fn failed(failure: Failure) -> Lost {
    Lost { failure, end: End::Failed }
}
