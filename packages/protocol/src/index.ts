/** The lookup, sync and content protocols as bytes on streams, with their limits. @packageDocumentation */
export {}
