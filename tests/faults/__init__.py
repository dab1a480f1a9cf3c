"""The program under faults of the system: full and broken disks, lost networks, dead resolvers, jumping clocks."""
