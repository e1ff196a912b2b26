/**
 * Publishes customer events, identities and attributes to intercomd, the daemon that forwards them to Intercom. The daemon holds
 * the Intercom token and handles Intercom's limits.
 *
 * <p>Begin with {@link io.github.intercomd.Publisher#builder}. The messages are in {@code io.github.intercomd.v1}.
 */
package io.github.intercomd;
