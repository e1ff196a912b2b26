package intercomd_test

import (
	"context"
	"fmt"
	"log"

	intercomd "github.com/intercomd/intercomd/clients/go"
	intercomdv1 "github.com/intercomd/intercomd/clients/go/intercomd/v1"
)

func ExamplePublisher() {
	ctx := context.Background()
	publisher, err := intercomd.NewPublisher("127.0.0.1:50051", intercomd.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer func() {
		if left, err := publisher.Close(ctx); err != nil {
			log.Printf("%d envelopes to keep: %v", len(left), err)
		}
	}()
	result, err := publisher.PublishAndWait(ctx, &intercomdv1.Envelope{
		Identity:       &intercomdv1.Identity{CustomerId: "42"},
		UserAttributes: []*intercomdv1.Attribute{intercomd.String("plan", "pro")},
		Event:          intercomd.CustomEvent("signed-up", intercomd.Int("seats", 12)),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.GetDisposition())
}
