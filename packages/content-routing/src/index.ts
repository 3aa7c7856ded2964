/** Who holds a content or a catalogue shard, and verified fetch from several of them. @packageDocumentation */
export {}
