//! Programs of the classic packet filter, with jumps to labels.

use crate::sys::instruction::Instruction;

/// Loads from the packet, by size.
pub(super) const WORD: u16 = 0x20;
pub(super) const HALF: u16 = 0x28;
pub(super) const BYTE: u16 = 0x30;
/// Loads from behind the index register.
pub(super) const INDEXED_BYTE: u16 = 0x50;
pub(super) const INDEXED_HALF: u16 = 0x48;
/// Sets the index register to the length of the IPv4 header.
pub(super) const INDEX_BY_HEADER_LEN: u16 = 0xb1;
pub(super) const RETURN: u16 = 0x06;
const JUMP: u16 = 0x05;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_ANY_OF: u16 = 0x45;

/// Where a load finds what is not in the packet: its protocol, its direction, and what kind of interface it was seen at.
pub(super) const PROTOCOL: u32 = ANCILLARY;
pub(super) const PACKET_TYPE: u32 = ANCILLARY + 4;
pub(super) const HARDWARE_TYPE: u32 = ANCILLARY + 28;
const ANCILLARY: u32 = 0xffff_f000;

/// A place in the program that is jumped to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Label(usize);

/// What a branch depends on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Test {
    Equal(u32),
    NotEqual(u32),
    AnyOf(u32),
}

#[derive(Debug, Default)]
pub(super) struct Assembler {
    program: Vec<Instruction>,
    /// Where each label stands, once it is placed.
    labels: Vec<usize>,
    /// Instructions that jump to a label.
    jumps: Vec<(usize, Label)>,
}

impl Assembler {
    pub(super) fn label(&mut self) -> Label {
        self.labels.push(0);
        Label(self.labels.len() - 1)
    }

    pub(super) fn place(&mut self, label: Label) {
        self.labels[label.0] = self.program.len();
    }

    pub(super) fn emit(&mut self, code: u16, value: u32) {
        self.push(code, 0, 0, value);
    }

    pub(super) fn load(&mut self, size: u16, at: u32) {
        self.emit(size, at);
    }

    pub(super) fn jump(&mut self, to: Label) {
        self.jumps.push((self.program.len(), to));
        self.emit(JUMP, 0);
    }

    /// Jumps where the test holds. A conditional jump reaches 255 instructions, an unconditional one any distance: so it is one over
    /// the other.
    pub(super) fn branch(&mut self, test: Test, to: Label) {
        match test {
            Test::Equal(value) => self.push(JUMP_IF_EQUAL, 0, 1, value),
            Test::NotEqual(value) => self.push(JUMP_IF_EQUAL, 1, 0, value),
            Test::AnyOf(bits) => self.push(JUMP_IF_ANY_OF, 0, 1, bits),
        }
        self.jump(to);
    }

    pub(super) fn finish(mut self) -> Vec<Instruction> {
        for (from, to) in self.jumps {
            let distance = self.labels[to.0] - (from + 1);
            self.program[from].value = distance as u32;
        }
        self.program
    }

    fn push(&mut self, code: u16, if_true: u8, if_false: u8, value: u32) {
        self.program.push(Instruction {
            code,
            if_true,
            if_false,
            value,
        });
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What the kernel would do: the program's result for a packet, given its protocol, direction and kind of interface.
    pub(crate) fn run(program: &[Instruction], packet: &[u8], around: [u32; 3]) -> u32 {
        let (mut accumulator, mut index, mut at) = (0, 0, 0);
        loop {
            let Instruction {
                code,
                if_true,
                if_false,
                value,
            } = program[at];
            at += 1;
            let branch = |holds: bool| usize::from(if holds { if_true } else { if_false });
            let load = |from: usize, len: usize| {
                let bytes = packet.get(from..from + len)?;
                Some(bytes.iter().fold(0, |word, byte| word << 8 | u32::from(*byte)))
            };
            let loaded = match (code, value) {
                (_, PROTOCOL) => Some(around[0]),
                (_, PACKET_TYPE) => Some(around[1]),
                (_, HARDWARE_TYPE) => Some(around[2]),
                (WORD, at) => load(at as usize, 4),
                (HALF, at) => load(at as usize, 2),
                (BYTE, at) => load(at as usize, 1),
                (INDEXED_BYTE, at) => load(at as usize + index, 1),
                (INDEXED_HALF, at) => load(at as usize + index, 2),
                (INDEX_BY_HEADER_LEN, _) => {
                    index = usize::from(packet[0] & 0xf) * 4;
                    continue;
                }
                (JUMP, distance) => {
                    at += distance as usize;
                    continue;
                }
                (JUMP_IF_EQUAL, value) => {
                    at += branch(accumulator == value);
                    continue;
                }
                (JUMP_IF_ANY_OF, bits) => {
                    at += branch(accumulator & bits != 0);
                    continue;
                }
                (RETURN, result) => return result,
                other => panic!("{other:x?}"),
            };
            match loaded {
                Some(loaded) => accumulator = loaded,
                // A load from outside of the packet ends the program.
                None => return 0,
            }
        }
    }

    #[test]
    fn far_labels_are_reached() {
        let mut program = Assembler::default();
        let far = program.label();
        program.branch(Test::NotEqual(1), far);
        for _ in 0..1000 {
            program.emit(RETURN, 1);
        }
        program.place(far);
        program.emit(RETURN, 2);
        assert_eq!(run(&program.finish(), &[], [0; 3]), 2);
    }
}
