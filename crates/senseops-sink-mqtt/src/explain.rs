//! Why there is no connection, for the engine and for people.

use std::error::Error;
use std::io::{self, ErrorKind};

use rumqttc::{ConnectReturnCode, ConnectionError, StateError, mqttbytes};
use senseops_core::{WriteError, chain};
use senseops_net::{Failure, Reason, explain};

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
    #[expect(clippy::wildcard_enum_match_arm, reason = "errors of rumqttc; most have no story of their own")]
    pub(crate) fn refused(&self, error: &ConnectionError) -> Lost {
        match error {
            ConnectionError::ConnectionRefused(code) => self.of_code(*code),
            ConnectionError::MqttState(error) => self.of_state(error),
            ConnectionError::NotConnAck(_) => self.speaks_otherwise(),
            ConnectionError::NetworkTimeout | ConnectionError::FlushTimeout => self.unanswered(),
            other => self.of_cause(other),
        }
    }

    /// The connection broke.
    pub(crate) fn broken(&self, error: &StateError) -> Lost {
        let mut lost = self.of_state(error);
        if lost.end == End::HungUp {
            lost.failure.what = format!("{} closed the connection", self.origin);
            lost.failure.advice =
                "check the log of the broker; two programs with the same client_id push each other out"
                    .into();
        }
        lost
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

    #[expect(clippy::wildcard_enum_match_arm, reason = "errors of rumqttc; most have no story of their own")]
    fn of_state(&self, error: &StateError) -> Lost {
        match error {
            StateError::ConnectionAborted => self.of_cause(&io::Error::from(ErrorKind::UnexpectedEof)),
            StateError::Deserialization(mqttbytes::Error::Io(error)) => self.of_cause(error),
            StateError::Deserialization(_) => self.speaks_otherwise(),
            other => self.of_cause(other),
        }
    }

    fn of_cause(&self, error: &(dyn Error + 'static)) -> Lost {
        failed(explain(&self.url, &self.tls, error).unwrap_or_else(|| {
            let what = format!("{} cannot be reached ({})", self.origin, chain(error));
            Failure::new(Reason::Unreachable, what, "check the address, routes and firewalls")
        }))
    }

    fn speaks_otherwise(&self) -> Lost {
        let what = format!("{} does not answer in MQTT", self.origin);
        failed(Failure::new(Reason::BadBody, what, "check the port"))
    }
}

fn failed(failure: Failure) -> Lost {
    let end = if failure.reason == Reason::Reset { End::HungUp } else { End::Failed };
    Lost { failure, end }
}
