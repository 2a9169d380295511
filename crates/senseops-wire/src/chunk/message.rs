//! The messages of the format as another implementation of protocol buffers has them, to compare with.

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ChunkMessage {
    #[prost(string, tag = "1")]
    pub source: String,
    #[prost(string, repeated, tag = "2")]
    pub kinds: Vec<String>,
    /// Names of labels and fields.
    #[prost(string, repeated, tag = "3")]
    pub names: Vec<String>,
    #[prost(message, repeated, tag = "4")]
    pub label_sets: Vec<LabelSetMessage>,
    #[prost(message, repeated, tag = "5")]
    pub events: Vec<EventMessage>,
    /// The one sink that shall have it; absent for all.
    #[prost(string, optional, tag = "6")]
    pub target: Option<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct LabelSetMessage {
    #[prost(message, repeated, tag = "1")]
    pub labels: Vec<LabelMessage>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct LabelMessage {
    /// Index of the name.
    #[prost(uint32, tag = "1")]
    pub name: u32,
    #[prost(string, tag = "2")]
    pub text: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct EventMessage {
    /// The first eight bytes of the identity, as a big-endian number.
    #[prost(fixed64, tag = "1")]
    pub id_high: u64,
    /// The last eight.
    #[prost(fixed64, tag = "2")]
    pub id_low: u64,
    /// Nanoseconds since 1970.
    #[prost(sfixed64, tag = "3")]
    pub time: i64,
    /// Index of the kind.
    #[prost(uint32, tag = "4")]
    pub kind: u32,
    /// Index of the label set.
    #[prost(uint32, tag = "5")]
    pub labels: u32,
    #[prost(oneof = "BodyMessage", tags = "6, 7, 8")]
    pub body: Option<BodyMessage>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum BodyMessage {
    #[prost(message, tag = "6")]
    Measurement(FieldsMessage),
    #[prost(message, tag = "7")]
    Record(RecordMessage),
    #[prost(message, tag = "8")]
    State(StateMessage),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct RecordMessage {
    /// 1 debug, 2 info, 3 warning, 4 error, 5 fatal.
    #[prost(uint32, tag = "1")]
    pub severity: u32,
    #[prost(string, tag = "2")]
    pub message: String,
    #[prost(message, optional, tag = "3")]
    pub fields: Option<FieldsMessage>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct StateMessage {
    /// 1 ok, 2 warning, 3 critical, 4 unknown.
    #[prost(uint32, tag = "1")]
    pub level: u32,
    #[prost(string, tag = "2")]
    pub message: String,
    #[prost(message, optional, tag = "3")]
    pub fields: Option<FieldsMessage>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct FieldsMessage {
    #[prost(message, repeated, tag = "1")]
    pub fields: Vec<FieldMessage>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct FieldMessage {
    /// Index of the name.
    #[prost(uint32, tag = "1")]
    pub name: u32,
    #[prost(oneof = "ValueMessage", tags = "2, 3, 4, 5, 6, 7, 8")]
    pub value: Option<ValueMessage>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ListMessage {
    #[prost(message, repeated, tag = "1")]
    pub items: Vec<ItemMessage>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ItemMessage {
    #[prost(oneof = "ValueMessage", tags = "2, 3, 4, 5, 6, 7, 8")]
    pub value: Option<ValueMessage>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum ValueMessage {
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(sint64, tag = "3")]
    Int(i64),
    #[prost(uint64, tag = "4")]
    UInt(u64),
    /// As bits, so that every NaN comes back as it was.
    #[prost(fixed64, tag = "5")]
    FloatBits(u64),
    #[prost(string, tag = "6")]
    Text(String),
    #[prost(message, tag = "7")]
    List(ListMessage),
    #[prost(message, tag = "8")]
    Map(FieldsMessage),
}
