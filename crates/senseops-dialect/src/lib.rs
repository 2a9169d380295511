//! The names that dashboards know: what an event is called on each wire.
//!
//! Sources speak neutrally; targets hold years of data under the names that Butler SOS gave it. This crate, and no
//! other, knows those names: tables say which measurement, tag and field a kind of event becomes, for each
//! generation of Butler SOS ([`Naming`]), typos included. A kind without a table gets a mechanical form, so that
//! every event reaches every target. Nothing here does I/O.
//!
//! ```
//! use std::sync::Arc;
//! use senseops_core::{Body, Event, Fields, LabelSet};
//! use senseops_dialect::{FieldValue, InfluxDialect, Point};
//! use senseops_qlik::kinds::engine_health::{COMMITTED_MB, KIND, MEM};
//!
//! let labels = Arc::new(LabelSet::from_iter([("host", "sense1")]));
//! let memory = Fields::default().with(COMMITTED_MB.name(), 412.5);
//! let event = Event::new(KIND, &labels, Body::Measurement(Fields::default().with(MEM, memory)));
//!
//! let (mut buffer, mut points) = (Point::default(), Vec::new());
//! InfluxDialect::default().points(&event, &mut buffer, |point| points.push(point.clone()));
//! let memory = points.iter().find(|point| point.measurement() == "mem").unwrap();
//! assert_eq!(memory.fields(), [("comitted".into(), FieldValue::Int(412))]);
//! ```

mod default_form;
mod derive;
mod influx;
mod mqtt;
mod naming;
mod point;

pub use influx::{IncludedDocs, InfluxDialect};
pub use mqtt::{InvalidTopic, Message, MqttDialect, UserEventTopics, check_topic};
pub use naming::Naming;
pub use point::{FieldValue, Point};
