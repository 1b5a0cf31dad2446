"""Where the trials of a run stand: their order, what the winner gains, the finalists, the leaderboard."""
