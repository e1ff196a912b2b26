package intercomd

import (
	"errors"

	"google.golang.org/grpc/codes"
)

// ErrClosed is the error of a publisher that was closed by its owner.
var ErrClosed = errors.New("intercomd: the publisher is closed")

// Error is the reason why a publisher has stopped: repeating does not help.
type Error struct {
	// Code is the status of the last call; OK if the calls had none.
	Code    codes.Code
	message string
}

func (e *Error) Error() string { return "intercomd: " + e.message }
