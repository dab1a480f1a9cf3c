"""How a message becomes durable, and what happens to it when something fails on the way.

Terminology:

- *pending delivery* (queue.py): a message that was received completely, with its draft (delivery/filedraft.py) or its
  content (delivery/outgoing.py), and its record for the journal.
- *outcome*: the pending delivery is durable and recorded, or has an error. It is then sent to a channel, from which
  the session receives it.
- *lane*: a device, or a connection to a server or command. A slow one delays only its own messages.
- *committer* (committer.py): one per process. It makes a *pipeline* (pipeline.py) for each device, and a *remote queue*
  (remote.py) for each connection. Both are queues that are fair between maildrops (queue.py).
- *group*: the messages that a queue takes through the steps together: of a pipeline, those that wait when the disk
  becomes free; of a remote queue, those that are sent together, which for most receivers is one.
- *in doubt*: a message that a receiver may have accepted. A receiver that can be asked for it later gets a *mark*
  (delivery/remote.py).
- *between its two commits*: a message that the journal has as DELIVERING and not yet as DELIVERED.

The steps of a message that is delivered into a file. Each begins when the one before it is durable:

    1  write      the draft writes the rest of its tmp file
    2  sync       fsync of the file, then of the folders of its tmp name
    3  commit     the journal records *delivering*: UID, identity, both paths, the text of the audit line
    4  publish    the file gets its final name; then fsync of its folder
    5  audit      the audit line is handed to the system (audit.py)
    6  commit     the journal records *delivered*, in one transaction with *delivering* of the next group
    7  outcome    the session gets it. Only now may it send DELE

A message for a server or a command (remote.py) has no file. A group is sent during step 3, but for its end, which is
sent as step 4. Its audit lines are written before the transaction of step 6, and during the sending of the next group.
Only the messages between their two commits are in doubt after a crash.

What an error at a step does, and the module that decides it:

    write, sync     pipeline.py: the draft is aborted. The journal has no record.
    commit (3)      recovery.py: *undecided*, the journal may have the record or not. A tmp file stays.
    publish         if the destination refused: the record is withdrawn, then the draft is aborted.
                    After a timeout or an internal error the message may be published: the record stays *delivering*.
    fsync, audit    the record stays *delivering*.
    commit (6)      the record is *delivering* or *delivered*.

recovery.py decides what becomes of a record that stays *delivering*: lookup.py looks for its file when the next session
opens the maildrop, and at the next start. A message that was being sent is sent again. But if its record has a mark,
the next session of the maildrop asks the receiver, and until there is an answer the message is neither retrieved nor
deleted. In all these cases nothing is deleted from the server.

After a failed commit the journal is broken. A tmp file may be removed only when the journal certainly has no record of
it: recovery assumes that a mail reader has moved a missing file. So each session first calls Recovery.recover
(recovery.py), which runs these steps:

    1  it waits until no lane has a message between its two commits
    2  the journal is opened again; lookup.py publishes what has a record
    3  undecided drafts without a record are aborted

After a crash the next start recovers in the same way. Tmp files without a record are removed when a session first uses
the destination (FileSink.clean_orphans). docs/durability.md says for each step what is on disk afterwards.
"""
