use std::time::{Duration, SystemTime};

use prost_types::Timestamp;

use crate::v1::attribute_value::Kind;
use crate::v1::commerce_event::Action;
use crate::v1::envelope::Event;
use crate::v1::{
    Attribute, AttributeValue, CommerceEvent, CustomEvent, Envelope, Identity, Link, Money, OtherEvent, Product,
    ProductAction, ProductActionType, ProductImpressions, PromotionAction, SessionEndEvent, StringList, Tag,
};

impl Envelope {
    /// Returns an envelope for the user with this customer id.
    pub fn new(customer_id: impl Into<String>) -> Self {
        Self::default().with_identity(Identity { customer_id: customer_id.into(), ..Identity::default() })
    }

    /// Sets the sender's idempotency key. Without one, the publisher assigns a UUIDv7.
    pub fn with_id(self, envelope_id: impl Into<String>) -> Self {
        Self { envelope_id: envelope_id.into(), ..self }
    }

    /// Sets the connection in the daemon's configuration; "default" without one.
    pub fn with_connection(self, connection: impl Into<String>) -> Self {
        Self { connection: connection.into(), ..self }
    }

    /// Sets the user.
    pub fn with_identity(self, identity: Identity) -> Self {
        Self { identity: Some(identity), ..self }
    }

    /// Sets the user's email.
    pub fn with_email(mut self, email: impl Into<String>) -> Self {
        self.identity.get_or_insert_default().email = email.into();
        self
    }

    /// Adds an attribute of the user.
    pub fn with_attribute(mut self, name: impl Into<String>, value: impl Into<AttributeValue>) -> Self {
        self.user_attributes.push(Attribute::new(name, value));
        self
    }

    /// Clears an attribute of the user.
    pub fn without_attribute(mut self, name: impl Into<String>) -> Self {
        self.removed_user_attributes.push(name.into());
        self
    }

    /// Sets what the user did.
    pub fn with_event(self, event: impl Into<Event>) -> Self {
        Self { event: Some(event.into()), ..self }
    }

    /// Sets when it happened; the time of acceptance without one. Intercom keeps whole seconds.
    pub fn with_event_time(self, time: impl Into<Timestamp>) -> Self {
        Self { event_time: Some(time.into()), ..self }
    }
}

impl Attribute {
    /// Returns an attribute. Its value may be a text, a whole number, a number with a fraction, a truth value, a time, a list
    /// of texts, a [`Money`], a [`Link`] or a [`Tag`].
    ///
    /// Intercom has no NaN and no infinity; the daemon leaves such an attribute out and reports `ATTRIBUTE_DROPPED`.
    pub fn new(name: impl Into<String>, value: impl Into<AttributeValue>) -> Self {
        Self { name: name.into(), value: Some(value.into()) }
    }
}

impl Money {
    /// Returns an exact amount in major units: `Money::new("19.99", "USD")`.
    pub fn new(amount: impl Into<String>, currency_code: impl Into<String>) -> Self {
        Self { amount: amount.into(), currency_code: currency_code.into() }
    }
}

impl Link {
    /// Returns a link; the label is the text that a reader sees.
    pub fn new(url: impl Into<String>, label: impl Into<String>) -> Self {
        Self { url: url.into(), label: label.into() }
    }
}

impl CustomEvent {
    /// Returns an event with a name of your own.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Adds an attribute. Intercom takes the first 5 (the daemon's setting `limits.event_attributes_max`).
    pub fn with_attribute(mut self, name: impl Into<String>, value: impl Into<AttributeValue>) -> Self {
        self.attributes.push(Attribute::new(name, value));
        self
    }
}

impl CommerceEvent {
    /// Returns a commerce event with amounts in this currency.
    pub fn new(action: impl Into<Action>, currency_code: impl Into<String>) -> Self {
        Self { action: Some(action.into()), currency_code: currency_code.into(), ..Self::default() }
    }

    /// Adds an attribute, which follows those that the daemon derives from the action.
    pub fn with_attribute(mut self, name: impl Into<String>, value: impl Into<AttributeValue>) -> Self {
        self.attributes.push(Attribute::new(name, value));
        self
    }
}

impl ProductAction {
    /// Returns an action on products.
    pub fn new(action: ProductActionType) -> Self {
        Self { action: action.into(), ..Self::default() }
    }

    /// Adds a product.
    pub fn with_product(mut self, product: Product) -> Self {
        self.products.push(product);
        self
    }
}

impl Product {
    /// Returns a product; price and quantity are decimal text, the price in major units.
    pub fn new(
        id: impl Into<String>,
        name: impl Into<String>,
        price: impl Into<String>,
        quantity: impl Into<String>,
    ) -> Self {
        Self { id: id.into(), name: name.into(), price: price.into(), quantity: quantity.into(), ..Self::default() }
    }
}

impl SessionEndEvent {
    /// Returns the end of a session.
    pub fn new(session_id: impl Into<String>, duration: Duration) -> Self {
        // A duration above protobuf's range, 292 billion years, counts as unknown.
        Self { session_id: session_id.into(), duration: duration.try_into().ok(), ..Self::default() }
    }

    /// Adds an attribute, which follows duration and id.
    pub fn with_attribute(mut self, name: impl Into<String>, value: impl Into<AttributeValue>) -> Self {
        self.attributes.push(Attribute::new(name, value));
        self
    }
}

/// Makes a variant of an enum from what it holds.
macro_rules! into_variant {
    ($target:ty, $($from:ty => $variant:expr),+ $(,)?) => {
        $(impl From<$from> for $target {
            fn from(value: $from) -> Self {
                #[allow(clippy::redundant_closure_call)]
                ($variant)(value)
            }
        })+
    };
}

into_variant!(Event,
    CustomEvent => Event::CustomEvent,
    CommerceEvent => Event::CommerceEvent,
    SessionEndEvent => Event::SessionEndEvent,
    OtherEvent => Event::OtherEvent,
);

into_variant!(Action,
    ProductAction => Action::ProductAction,
    PromotionAction => Action::PromotionAction,
    ProductImpressions => Action::Impressions,
);

into_variant!(Kind,
    String => Kind::StringValue,
    &str => |value: &str| Kind::StringValue(value.into()),
    i64 => Kind::IntegerValue,
    i32 => |value: i32| Kind::IntegerValue(value.into()),
    u32 => |value: u32| Kind::IntegerValue(value.into()),
    f64 => Kind::NumberValue,
    bool => Kind::BooleanValue,
    Timestamp => Kind::TimeValue,
    SystemTime => |value: SystemTime| Kind::TimeValue(value.into()),
    Money => Kind::MoneyValue,
    Link => Kind::LinkValue,
    StringList => Kind::ListValue,
    Vec<String> => |values: Vec<String>| Kind::ListValue(StringList { values }),
    Tag => Kind::TagValue,
);

impl<const N: usize> From<[&str; N]> for Kind {
    fn from(values: [&str; N]) -> Self {
        Self::ListValue(StringList { values: values.map(String::from).into() })
    }
}

impl<T: Into<Kind>> From<T> for AttributeValue {
    fn from(value: T) -> Self {
        Self { kind: Some(value.into()) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn each_type_becomes_its_kind() {
        let texts = vec!["a".to_owned(), "b".to_owned()];
        let list = Kind::ListValue(StringList { values: texts.clone() });
        for (value, expected) in [
            (AttributeValue::from("text"), Kind::StringValue("text".into())),
            ("text".to_owned().into(), Kind::StringValue("text".into())),
            (i64::MIN.into(), Kind::IntegerValue(i64::MIN)),
            (12.into(), Kind::IntegerValue(12)),
            (u32::MAX.into(), Kind::IntegerValue(4_294_967_295)),
            (0.5.into(), Kind::NumberValue(0.5)),
            (false.into(), Kind::BooleanValue(false)),
            ((UNIX_EPOCH + Duration::from_millis(1_500)).into(), {
                Kind::TimeValue(Timestamp { seconds: 1, nanos: 500_000_000 })
            }),
            (texts.into(), list.clone()),
            (["a", "b"].into(), list),
            (Tag {}.into(), Kind::TagValue(Tag {})),
        ] {
            assert_eq!(value.kind, Some(expected));
        }
    }

    #[test]
    fn envelope_is_built_in_one_expression() {
        let envelope = Envelope::new("42")
            .with_id("a")
            .with_connection("eu")
            .with_email("ada@example.com")
            .with_attribute("plan", "pro")
            .without_attribute("trial")
            .with_event_time(UNIX_EPOCH)
            .with_event(SessionEndEvent::new("s-1", Duration::from_secs(90)).with_attribute("n", 1));
        let expected = Envelope {
            envelope_id: "a".into(),
            connection: "eu".into(),
            identity: Some(Identity { customer_id: "42".into(), email: "ada@example.com".into() }),
            user_attributes: vec![Attribute::new("plan", "pro")],
            removed_user_attributes: vec!["trial".into()],
            event_time: Some(Timestamp::default()),
            event: Some(Event::SessionEndEvent(SessionEndEvent {
                session_id: "s-1".into(),
                duration: Some(prost_types::Duration { seconds: 90, nanos: 0 }),
                attributes: vec![Attribute::new("n", 1)],
            })),
            ..Envelope::default()
        };
        assert_eq!(envelope, expected);
    }
}
