// Package intercomd publishes customer events, identities and attributes to intercomd, the daemon that forwards them to
// Intercom. The daemon holds the Intercom token and handles Intercom's limits.
//
//	publisher, err := intercomd.NewPublisher("127.0.0.1:50051", intercomd.Options{})
//	if err != nil {
//		return err
//	}
//	defer publisher.Close(ctx)
//
//	err = publisher.Publish(ctx, &intercomdv1.Envelope{
//		Identity:       &intercomdv1.Identity{CustomerId: "42"},
//		UserAttributes: []*intercomdv1.Attribute{intercomd.String("plan", "pro")},
//		Event:          intercomd.CustomEvent("signed-up", intercomd.Int("seats", 12)),
//	})
//
// Keep one Publisher for the life of the process, and close it at the end: the process may exit without notice to it,
// and Go runs nothing then. The messages are in the package intercomdv1.
package intercomd
