package intercomd

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	intercomdv1 "github.com/intercomd/intercomd/clients/go/intercomd/v1"
)

// A frame is an encoded PublishRequest that holds one envelope. Frames joined are the request that holds them all, because
// repeated fields of concatenated messages add up (protobuf's encoding, "Last One Wins"). So an envelope is encoded once,
// later changes of the message have no effect, and a repeat sends the same bytes.
type frame []byte

const (
	envelopesField   protowire.Number = 2 // of PublishRequest
	envelopeIDField  protowire.Number = 1 // of Envelope
	traceparentField protowire.Number = 100
)

// newFrame encodes an envelope. It adds an id if there is none, and the trace context; the envelope itself does not change.
func newFrame(envelope *intercomdv1.Envelope, traceparent string) (frame, error) {
	if envelope == nil {
		return nil, errors.New("intercomd: the envelope is nil")
	}
	var body []byte
	if envelope.GetEnvelopeId() == "" {
		body = protowire.AppendTag(body, envelopeIDField, protowire.BytesType)
		body = protowire.AppendString(body, NewEnvelopeID())
	}
	body, err := proto.MarshalOptions{}.MarshalAppend(body, envelope)
	if err != nil {
		return nil, fmt.Errorf("intercomd: the envelope cannot be encoded: %w", err)
	}
	if traceparent != "" && envelope.GetTraceparent() == "" {
		body = protowire.AppendTag(body, traceparentField, protowire.BytesType)
		body = protowire.AppendString(body, traceparent)
	}
	framed := protowire.AppendTag(make(frame, 0, len(body)+6), envelopesField, protowire.BytesType)
	return protowire.AppendBytes(framed, body), nil
}

// envelope returns the envelope in a frame, with its id.
func (f frame) envelope() *intercomdv1.Envelope {
	var request intercomdv1.PublishRequest
	if err := proto.Unmarshal(f, &request); err != nil || len(request.Envelopes) != 1 {
		panic(fmt.Sprintf("a frame holds one envelope: %v", err)) // newFrame made it
	}
	return request.Envelopes[0]
}

// id returns the id of the envelope in a frame.
func (f frame) id() string {
	_, _, size := protowire.ConsumeTag(f)
	body, _ := protowire.ConsumeBytes(f[size:])
	for len(body) > 0 {
		number, kind, size := protowire.ConsumeTag(body)
		body = body[size:]
		if number == envelopeIDField {
			id, _ := protowire.ConsumeString(body)
			return id
		}
		body = body[protowire.ConsumeFieldValue(number, kind, body):]
	}
	return "" // newFrame has added one
}

// rawCodec sends requests that are encoded already.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(message any) ([]byte, error) {
	request, ok := message.([]byte)
	if !ok {
		return nil, fmt.Errorf("the request is a %T", message)
	}
	return request, nil
}

func (rawCodec) Unmarshal(data []byte, message any) error {
	response, ok := message.(proto.Message)
	if !ok {
		return fmt.Errorf("the response is a %T", message)
	}
	return proto.Unmarshal(data, response)
}
