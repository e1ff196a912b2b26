package intercomd

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	intercomdv1 "github.com/intercomd/intercomd/clients/go/intercomd/v1"
)

// String returns an attribute that holds a text.
func String(name, value string) *intercomdv1.Attribute {
	return attribute(name, &intercomdv1.AttributeValue{Kind: &intercomdv1.AttributeValue_StringValue{StringValue: value}})
}

// Int returns an attribute that holds an integer.
func Int(name string, value int) *intercomdv1.Attribute {
	return Int64(name, int64(value))
}

// Int64 returns an attribute that holds an integer.
func Int64(name string, value int64) *intercomdv1.Attribute {
	return attribute(name, &intercomdv1.AttributeValue{Kind: &intercomdv1.AttributeValue_IntegerValue{IntegerValue: value}})
}

// Float64 returns an attribute that holds a number. Intercom has no NaN and no infinity; the daemon leaves such an
// attribute out and reports ATTRIBUTE_DROPPED.
func Float64(name string, value float64) *intercomdv1.Attribute {
	return attribute(name, &intercomdv1.AttributeValue{Kind: &intercomdv1.AttributeValue_NumberValue{NumberValue: value}})
}

// Bool returns an attribute that holds a truth value.
func Bool(name string, value bool) *intercomdv1.Attribute {
	return attribute(name, &intercomdv1.AttributeValue{Kind: &intercomdv1.AttributeValue_BooleanValue{BooleanValue: value}})
}

// Time returns an attribute that holds a moment. Intercom keeps whole seconds.
func Time(name string, value time.Time) *intercomdv1.Attribute {
	moment := timestamppb.New(value)
	return attribute(name, &intercomdv1.AttributeValue{Kind: &intercomdv1.AttributeValue_TimeValue{TimeValue: moment}})
}

// Strings returns an attribute that holds a list of texts.
func Strings(name string, values ...string) *intercomdv1.Attribute {
	list := &intercomdv1.StringList{Values: values}
	return attribute(name, &intercomdv1.AttributeValue{Kind: &intercomdv1.AttributeValue_ListValue{ListValue: list}})
}

// Money returns an attribute that holds an exact amount in major units: Money("price", "19.99", "USD").
func Money(name, amount, currencyCode string) *intercomdv1.Attribute {
	money := &intercomdv1.Money{Amount: amount, CurrencyCode: currencyCode}
	return attribute(name, &intercomdv1.AttributeValue{Kind: &intercomdv1.AttributeValue_MoneyValue{MoneyValue: money}})
}

// Link returns an attribute that holds a link; label is the text that a reader sees.
func Link(name, url, label string) *intercomdv1.Attribute {
	link := &intercomdv1.Link{Url: url, Label: label}
	return attribute(name, &intercomdv1.AttributeValue{Kind: &intercomdv1.AttributeValue_LinkValue{LinkValue: link}})
}

// Tag returns an attribute that has no value of its own: the person has it.
func Tag(name string) *intercomdv1.Attribute {
	return attribute(name, &intercomdv1.AttributeValue{Kind: &intercomdv1.AttributeValue_TagValue{TagValue: &intercomdv1.Tag{}}})
}

// CustomEvent returns the event of an envelope, with a name of your own. Intercom takes its first 5 attributes (the
// daemon's setting limits.event_attributes_max).
func CustomEvent(name string, attributes ...*intercomdv1.Attribute) *intercomdv1.Envelope_CustomEvent {
	return &intercomdv1.Envelope_CustomEvent{CustomEvent: &intercomdv1.CustomEvent{Name: name, Attributes: attributes}}
}

func attribute(name string, value *intercomdv1.AttributeValue) *intercomdv1.Attribute {
	return &intercomdv1.Attribute{Name: name, Value: value}
}
